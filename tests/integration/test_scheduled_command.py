"""`manage.py scheduled`: what is to be recorded later, and what an operator does about it."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from notifications import schedule
from notifications.models import AuditEntry, ScheduledEvent
from orders_site.events import OrderCancelled, OrderShipped

pytestmark = pytest.mark.django_db

State = ScheduledEvent.State


def scheduled(*arguments: str) -> str:
    out = StringIO()
    call_command("scheduled", *arguments, stdout=out)
    return out.getvalue()


def add(number: int, *, hours: float = 1, kind: Any = OrderShipped) -> int:
    at = timezone.now() + timedelta(hours=hours)
    with transaction.atomic():
        return schedule.add(kind(order_id=number), at=at)


def refuse(*numbers: int) -> None:
    ScheduledEvent.objects.filter(pk__in=numbers).update(
        state=State.REFUSED, error="order.shipped version 1 is not registered here"
    )


def states() -> dict[int, str]:
    return dict(ScheduledEvent.objects.values_list("pk", "state"))


def test_the_next_one_due_is_named_first() -> None:
    second, first = add(1, hours=2), add(2, hours=1)
    lines = scheduled().splitlines()
    assert [line.split()[0] for line in lines] == [str(first), str(second)]
    assert lines[0].endswith("order.shipped order/2  waiting")
    assert scheduled("list", "--limit", "1").splitlines()[1:] == [
        "There are more: --limit, up to 1000"
    ]


def test_of_a_subject_all_are_named_whatever_became_of_them() -> None:
    refuse(add(17))
    add(18)
    assert scheduled("list", "--subject", "17").endswith(
        "could not be recorded: order.shipped version 1 is not registered here\n"
    )
    [row] = json.loads(scheduled("list", "--subject", "#17", "--json"))["scheduled"]
    assert (row["subject"], row["state"]) == ("order/17", "refused")
    assert scheduled("list", "--subject", "19") == "No such event is scheduled.\n"
    assert scheduled("list", "--state", "recorded") == "No such event is recorded.\n"


def test_all_that_could_not_be_recorded_is_recorded_once_it_is_mended() -> None:
    failed = [add(number) for number in (1, 2, 3)]
    waiting, cancelled = add(4), add(5, kind=OrderCancelled)
    refuse(*failed, cancelled)
    asked = ("now", "--state", "refused", "--event-type", "order.shipped", "--reason", "deployed")

    assert scheduled(*asked, "--dry-run") == "3 would be due\n"
    assert not AuditEntry.objects.exists()
    assert scheduled(*asked) == "3 are now due\n"
    assert schedule.record_due() == 3
    assert states() == {
        **dict.fromkeys(failed, "recorded"),
        waiting: "waiting",
        cancelled: "refused",
    }
    assert AuditEntry.objects.filter(action="scheduled_event.bring_forward").count() == 3


def test_what_cannot_be_done_is_said_of_each() -> None:
    over, open_one = add(1), add(2)
    schedule.call_off("order/1")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command(
            "scheduled", "call-off", str(over), str(open_one), "--reason", "sold out", stdout=out
        )
    assert out.getvalue() == f"{over}  left alone: it is called off\n1 is now called off\n"
    assert states() == {over: "called_off", open_one: "called_off"}


@pytest.mark.parametrize("which", [[], ["1", "--state", "waiting"]])
def test_it_is_said_which_by_numbers_or_else_by_what_they_share(which: list[str]) -> None:
    with pytest.raises(CommandError, match="Name them by their numbers, or else by what they have"):
        scheduled("call-off", *which, "--reason", "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["list", "--event-type", "order.shiped"], "order.shiped"),
        (["now", "--event-type", "order.shiped", "--reason", "x"], "order.shiped"),
        (["list", "--limit", "1001"], "'1001' is not a whole number from 1 to 1000"),
        (["list", "--limit", "9" * 5000], "is not a whole number from 1 to 1000"),
        (["now", "9" * 5000, "--reason", "x"], "is no number of a scheduled event"),
        (["now", "٣", "--reason", "x"], "'٣' is no number of a scheduled event"),
        (["now", "-1", "--reason", "x"], "-1"),
    ],
)
def test_what_makes_no_sense_is_said(given: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        scheduled(*given)


def test_what_is_registered_no_more_is_still_called_off_by_its_type() -> None:
    ScheduledEvent.objects.filter(pk=add(1)).update(event_type="order.review_due")
    assert scheduled("call-off", "--event-type", "order.review_due", "--reason", "gone") == (
        "1 is now called off\n"
    )
