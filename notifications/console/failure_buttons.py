"""The buttons of a group of failures: each leads to the confirmation of a job, or says why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import failures
from notifications.admin.permitted import refusal
from notifications.console import bulk
from notifications.console.buttons import Button
from notifications.failure_counts import Selection
from notifications.failures import Group
from notifications.models import Delivery, Job
from notifications.undertakings import undertaking

FEW = 5
"""Items that a careful first try has."""


def of_group(request: HttpRequest, group: Group, about: str) -> Iterator[Button]:
    """Of the letters where there are any, as a redrive sends their deliveries too; else of the
    deliveries that failed."""
    if group.letters:
        yield from of_letters(request, group, about)
    elif group.failed:
        yield from of_deliveries(request, group.selection, Delivery.State.FAILED, about)


def of_letters(request: HttpRequest, group: Group, about: str) -> Iterator[Button]:
    wanted = failures.letters_of(group.selection)
    if wanted is not None:
        why = "" if failures.can_be_redriven(group) else gettext("It is no event: discard it.")
        yield from _three(request, "redrive", "discard_letters", wanted, about, no_retry=why)


def of_deliveries(
    request: HttpRequest, selection: Selection, state: str, about: str
) -> Iterator[Button]:
    wanted = failures.deliveries_of(selection, state)
    yield from _three(request, "resend", "discard_deliveries", wanted, about)


def _three(
    request: HttpRequest,
    retry: str,
    discard: str,
    wanted: Mapping[str, Any],
    about: str,
    *,
    no_retry: str = "",
) -> Iterator[Button]:
    first = gettext("Retry the first %(few)d") % {"few": FEW}
    for label, kind, chosen in (
        (first, retry, {**wanted, "limit": FEW}),
        (_("Retry all"), retry, wanted),
        (_("Discard all"), discard, wanted),
    ):
        why_not = (no_retry if kind == retry else "") or _why_not(request, kind)
        yield Button(label, about, bulk.confirm_url(kind, chosen), why_not)


def _why_not(request: HttpRequest, kind: str) -> str:
    work = undertaking(kind)
    return refusal(request, work.model._meta, work.permission) or refusal(
        request, Job._meta, "run_bulk_job"
    )
