"""Every listing answers with or without its verb, and in JSON."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["queues"], "queues"),
        (["rate_limits"], "accounts"),
        (["deliveries"], "deliveries"),
        (["dead_letters"], "dead_letters"),
        (["queues", "list"], "queues"),
        (["rate_limits", "list"], "accounts"),
        (["deliveries", "list"], "deliveries"),
        (["dead_letters", "list"], "dead_letters"),
        (["dead_letters", "group"], "groups"),
        (["purge", "--dry-run"], "due"),
        (["workers"], "workers"),
        (["suppressions"], "suppressions"),
        (["suppressions", "list"], "suppressions"),
        (["preferences", "customer/1"], "preferences"),
        (["jobs"], "jobs"),
        (["jobs", "list"], "jobs"),
        (["templates"], "templates"),
        (["templates", "list"], "templates"),
    ],
    ids=" ".join,
)
def test_a_listing_prints_one_json_object(arguments: list[str], holds: str) -> None:
    output = StringIO()
    call_command(*arguments, "--json", stdout=output)
    assert holds in json.loads(output.getvalue())


def test_json_may_stand_before_the_verb() -> None:
    output = StringIO()
    call_command("queues", "--json", "list", stdout=output)
    assert "queues" in json.loads(output.getvalue())
