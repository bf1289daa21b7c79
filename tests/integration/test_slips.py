"""A slip in what an operator types is told from what nothing has just now."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from notifications.models import DeadLetter, Delivery, Dispatch, Event, Suppression
from tests.integration.operator_rows import make_delivery, make_event

pytestmark = pytest.mark.django_db

WHY = ("--reason", "the price was wrong")
TYPE, CHANNEL, QUEUE = (
    ("--event-type", "order.craeted"),
    ("--channel", "emial"),
    ("--queue", "emial"),
)


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("drop", *TYPE, *WHY), "event type"),
        (("drop", *TYPE, "--dry-run"), "event type"),
        (("resend", *TYPE, "--state", "failed", *WHY), "event type"),
        (("resend", *CHANNEL, "--state", "failed", *WHY), "channel"),
        (("redrive", *TYPE, *WHY), "event type"),
        (("redrive", *QUEUE, *WHY), "queue"),
        (("jobs", "begin", "drop", "event_type=order.craeted", *WHY), "event type"),
        (("jobs", "begin", "redrive", "queue=emial", *WHY), "queue"),
        (("jobs", "begin", "discard_deliveries", "state=failed", "channel=emial"), "channel"),
        (("dead_letters", "list", *TYPE), "event type"),
        (("dead_letters", "group", *QUEUE), "queue"),
        (("dead_letters", "discard", *TYPE, *WHY), "event type"),
        (("dead_letters", "restore", *QUEUE, *WHY), "queue"),
        (("deliveries", "list", *CHANNEL), "channel"),
        (("deliveries", "settle", "--fingerprint", "1", *CHANNEL, "--as", "sent", *WHY), "channel"),
        (("failures", "list", *TYPE), "event type"),
        (("failures", "list", *CHANNEL), "queue"),
        (("suppressions", "list", *CHANNEL), "channel"),
        (("told", "customer/42", "--event", "order.craeted"), "event type"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else value,
)
def test_a_name_that_nobody_knows_is_refused_with_those_there_are(
    arguments: tuple[str, ...], kind: str
) -> None:
    named, known = {
        "event type": ("order.craeted", "order.cancelled, order.created"),
        "channel": ("emial", "email, push"),
        "queue": ("emial", "analytics, email"),
    }[kind]
    with pytest.raises(CommandError, match=f"No {kind} is named '{named}'; there are: {known}"):
        said(*arguments)


def test_a_name_whose_code_was_taken_away_is_known_while_rows_have_it() -> None:
    event = make_event(event_type="order.gone")
    delivery = make_delivery(event, state="failed")
    Delivery.objects.filter(pk=delivery.pk).update(channel="fax")
    Dispatch.objects.create(
        event=event, subject=event.subject, kind=Dispatch.Kind.QUEUE, destination="email"
    )
    DeadLetter.objects.create(
        queue="fax", message_id="1", event_type="order.gone", subject=event.subject, body=b""
    )
    Suppression.objects.create(channel="fax", reason="operator")
    gone, fax = ("--event-type", "order.gone"), ("--channel", "fax")

    assert "1 done. Nothing was done." in said("drop", *gone, "--dry-run")
    assert json.loads(said("resend", *gone, *fax, "--state", "failed", "--dry-run", "--json"))[
        "total"
    ]
    assert json.loads(said("redrive", *gone, "--queue", "fax", "--dry-run", "--json"))["total"]
    assert "order.gone order/1" in said("dead_letters", "list", *gone, "--queue", "fax")
    assert str(delivery.pk) in said("deliveries", "list", *fax)
    assert "1 failed delivery" in said("failures", "list", *gone, *fax)
    assert "  fax  " in said("suppressions", "list", *fax)


def test_a_type_that_only_its_deliveries_still_have_is_known() -> None:
    delivery = make_delivery(make_event(event_type="order.gone"), state="failed")
    Dispatch.objects.all().delete()
    Event.objects.all().delete()
    assert Delivery.objects.filter(pk=delivery.pk).exists()
    assert "1 failed delivery" in said("failures", "list", "--event-type", "order.gone")


@pytest.mark.parametrize("command", ["drop", "redrive", "replay", "resend"])
@pytest.mark.parametrize("number", ["0", "-1", "one", "9" * 19])
def test_what_is_no_number_of_a_job_is_refused(command: str, number: str) -> None:
    """Nought was taken for none: the command asked for a filter."""
    with pytest.raises(CommandError, match=r"argument --job: '.*' is no whole number from 1"):
        said(command, "--job", number)


@pytest.mark.parametrize(
    "arguments",
    [
        ("resend", "--subject", "", *WHY),
        ("resend", "--state", "failed", "--event-type", "", *WHY),
        ("resend", "--state", "failed", "--channel", " ", *WHY),
        ("redrive", "--queue", "", *WHY),
        ("drop", "--event-type", "", *WHY),
        ("replay", "email", "--subject", "", *WHY),
        ("dead_letters", "discard", "--queue", "email", "--event-type", "", *WHY),
        ("deliveries", "settle", "--fingerprint", "1", "--channel", "", "--as", "sent", *WHY),
    ],
    ids=" ".join,
)
def test_a_filter_that_is_empty_does_not_mean_everything(arguments: tuple[str, ...]) -> None:
    """A variable of a script that was never set."""
    with pytest.raises(CommandError, match="give 1 to 255 characters"):
        said(*arguments)


@pytest.mark.parametrize("given", ["", "  "])
def test_a_timeline_is_of_something(given: str) -> None:
    """Of what has no subject nobody asks."""
    make_event()
    Event.objects.update(subject="")
    with pytest.raises(CommandError, match="Say which order, or what else events are about"):
        said("timeline", given)
