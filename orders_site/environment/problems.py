"""What is wrong with the environment, in sentences that tell no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orders_site.environment.table import VARIABLES
from orders_site.environment.urls import URL
from orders_site.environment.variable import Variable

OF_ONE_SERVICE = "AWS_ENDPOINT_URL_"
"""botocore reads one for each service of AWS; they are too many for the table."""


def problems(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that cannot be read, with what to give."""
    endpoints = sorted(name for name in environ if name.startswith(OF_ONE_SERVICE))
    others = (Variable(name, URL, "an endpoint of AWS") for name in endpoints)
    for variable in (*VARIABLES, *others):
        if problem := variable.problem(environ):
            yield problem
