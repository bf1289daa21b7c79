"""Was this customer told? One command says it, with what it rests on."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.models import (
    DeadLetter,
    Delivery,
    DigestItem,
    DigestWindow,
    Dispatch,
    Event,
    Handled,
)
from notifications.told import told
from tests.integration.operator_rows import (
    EMAIL,
    PHONE,
    TOKEN,
    make_delivery,
    make_event,
    make_receipt,
)
from tests.plans import many_deliveries, plan_of

pytestmark = pytest.mark.django_db


def ask(*arguments: object) -> tuple[int, str]:
    """The exit status, and what is printed."""
    out = StringIO()
    try:
        call_command("told", *map(str, arguments), stdout=out)
    except SystemExit as stopped:
        return int(str(stopped.code)), out.getvalue()
    return 0, out.getvalue()


def in_words(delivery: Delivery) -> str:
    """The line about the only delivery that there is."""
    _, printed = ask(delivery.subject)
    return " ".join(printed.split())


def published(event: Event) -> Event:
    event.dispatches.update(state=Dispatch.State.PUBLISHED, published_at=Now())
    return event


def delivery_of(number: int = 1, event_type: str = "order.created", **given: Any) -> Delivery:
    """Of an event that has left the outbox."""
    fields = {name: given.pop(name) for name in ("state", "channel", "recipient") if name in given}
    delivery = make_delivery(published(make_event(number, event_type)), **fields)
    Delivery.objects.filter(pk=delivery.pk).update(**{"last_error": "", **given})
    return Delivery.objects.get(pk=delivery.pk)


def test_that_a_partner_was_posted_it_tells_no_customer() -> None:
    event = published(make_event(1))
    posted = make_delivery(event, state="sent", channel="sms", recipient="endpoint/1")
    Delivery.objects.filter(pk=posted.pk).update(channel="webhook")
    Event.objects.filter(pk=event.pk).update(expected=["email", "webhook"])

    status, printed = ask("order/1")
    assert (status, printed.split(";")[0]) == (1, "order/1: no")
    assert "not yet of order.created order/1" in printed
    assert "told at" in printed
    assert ask("endpoint/1")[0] == 0

    make_delivery(event, state="skipped", channel="email")
    status, printed = ask("order/1")
    assert (status, "not of order.created order/1" in printed) == (1, True)

    make_delivery(event, state="sent", channel="push")
    assert ask("order/1")[0] == 0


def test_who_was_told_of_everything_was_told() -> None:
    delivery_of(1)
    shipped = published(make_event(1, "order.shipped"))
    make_delivery(shipped, state="skipped", channel="sms")
    make_delivery(shipped, state="delivered", channel="push")

    status, printed = ask("customer/42")

    assert status == 0
    said = "customer/42: yes, told of order.created order/1, order.shipped order/1."
    assert printed.startswith(said)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["sent"] * 6, "yes, told of 6 events"),
        (["pending"], "no; not yet of order.created order/0"),
        (["unknown"], "nobody knows about order.created order/0"),
        (["failed"], "no; not of order.created order/0"),
        (
            ["sent", "sending", "unknown", "bounced"],
            (
                "in part, told of 1 of 4 events; not yet of order.created order/1; nobody knows "
                "about order.created order/2; not of order.created order/3"
            ),
        ),
        (
            ["unknown", "failed"],
            "no; nobody knows about order.created order/0; not of order.created order/1",
        ),
    ],
)
def test_the_answer_in_plain_words(states: list[str], said: str) -> None:
    for number, state in enumerate(states):
        delivery_of(number, state=state)

    assert told("customer/42").words == said


def test_one_event_of_which_nobody_told_them_is_named_and_is_a_no() -> None:
    delivery_of(1)
    delivery_of(2, "order.shipped", state="skipped", reason="no_address", channel="push")

    status, printed = ask("customer/42")

    said = "customer/42: in part, told of 1 of 2 events; not of order.shipped order/2."
    assert status == 1
    assert printed.startswith(said)


@pytest.mark.parametrize(
    ("about", "others"),
    [
        ("customer/42", ["customer/4", "customer/421", "customer/420/device/1"]),
        ("customer/42/device/7", ["customer/42", "customer/42/device/70"]),
    ],
)
def test_a_person_is_asked_for_with_their_devices_and_without_others(
    about: str, others: list[str]
) -> None:
    for number, recipient in enumerate([about, f"{about}/app/1", *others]):
        delivery_of(number, channel="push", recipient=recipient)

    assert {line.delivery.recipient for each in told(about).happenings for line in each.lines} == {
        about,
        f"{about}/app/1",
    }


@pytest.mark.parametrize("about", ["order/7", "7", "#7", " order/7 "])
def test_an_order_is_asked_for_by_its_number_or_as_events_name_it(about: str) -> None:
    delivery_of(7)
    delivery_of(77)

    (happening,) = told(about).happenings

    assert happening.subject == "order/7"


@pytest.mark.parametrize(
    ("about", "channel", "shown"),
    [
        (EMAIL, "email", "g…@example.org: yes"),
        (EMAIL.upper(), "email", "G…@EXAMPLE.ORG: yes"),
        ("+49 170 123-4567", "sms", "…4567: yes"),
        (TOKEN, "push", "…9f3c: yes"),
    ],
)
def test_an_address_is_asked_for_in_any_spelling_and_printed_in_none(
    about: str, channel: str, shown: str
) -> None:
    delivery_of(1, channel=channel)

    status, printed = ask(about)

    assert status == 0
    assert printed.startswith(shown)
    assert not {EMAIL, PHONE, TOKEN, about} & set(printed.replace("(", " ").split())


def test_nothing_known_is_a_no() -> None:
    assert ask("customer/42") == (1, "customer/42: no, nothing is known.\n")


def test_what_was_asked_for_is_narrowed_by_event_and_time() -> None:
    delivery_of(1)
    old = delivery_of(2, "order.shipped", state="failed", reason="MessageRejected")
    Delivery.objects.filter(pk=old.pk).update(event_time=timezone.now() - timedelta(days=2))
    Event.objects.filter(pk=old.event_id).update(time=timezone.now() - timedelta(days=2))

    assert ask("customer/42")[0] == 1
    assert ask("customer/42", "--event", "order.created")[0] == 0
    assert ask("customer/42", "--event", "order.shipped")[0] == 1
    assert ask("customer/42", "--since", "1d")[0] == 0
    assert ask("order/2", "--since", "1d")[0] == 1


@pytest.mark.parametrize(
    ("state", "given", "said"),
    [
        ("sent", {}, "told at 12:00 by email (customer/42 g…@example.org, 1 attempt, provider-"),
        ("complained", {}, "told at 12:00 by email, and complained of it"),
        (
            "bounced",
            {"reason": "Permanent.General"},
            "not told: sent at 12:00 by email, and it came back: Permanent.General",
        ),
        ("skipped", {"reason": "opted_out"}, "not told by email: opted out ("),
        (
            "skipped",
            {"reason": "no_longer_true: the order was cancelled"},
            "not told by email: no longer true: the order was cancelled (",
        ),
        ("failed", {"reason": "MessageRejected"}, "not told by email: failed, MessageRejected ("),
        ("discarded", {"reason": "forgotten"}, "not told by email: discarded, forgotten ("),
        (
            "unknown",
            {"last_error": "read_timeout"},
            "nobody knows whether email told it: read_timeout; it waits for a receipt or an op",
        ),
        (
            "unknown",
            {"last_error": "read_timeout", "next_try_at": True},
            "nobody knows whether email told it: read_timeout; tried again at 12:00",
        ),
        (
            "retrying",
            {"last_error": "throttled", "next_try_at": True},
            "not yet told by email: throttled, tried again at 12:00",
        ),
        ("sending", {}, "being told by email just now"),
        ("pending", {}, "not yet told by email: its first attempt is ahead"),
        (
            "pending",
            {"reason": "quiet_hours", "next_try_at": True},
            "12:00: quiet hours (customer/42",
        ),
        ("pending", {"reason": "recipient_limit", "next_try_at": True}, "the recipient's limit ("),
    ],
)
def test_each_state_in_words(state: str, given: dict[str, Any], said: str) -> None:
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    if given.get("next_try_at"):
        given = {**given, "next_try_at": noon}
    delivery = delivery_of(state=state, sent_at=noon, **given)

    assert said in in_words(delivery)


def test_what_the_provider_said_later_is_told_with_it() -> None:
    delivery = delivery_of(state="delivered")
    receipt = make_receipt(delivery, kind="delivered")
    clock = f"{timezone.localtime(receipt.occurred_at):%H:%M}"

    said = in_words(delivery)

    assert f"delivered at {clock} (" in said
    assert f"receipts: delivered {clock}" in said


def test_what_is_another_days_has_its_day() -> None:
    assert "told at 2026-02-03 09:05 by email" in in_words(
        delivery_of(sent_at=timezone.make_aware(timezone.datetime(2026, 2, 3, 9, 5)))
    )


def test_what_waits_in_the_outbox_and_what_was_given_up_stand_with_it() -> None:
    delivery = delivery_of(state="pending", reason="quiet_hours")
    Dispatch.objects.postpone(
        delivery.event.envelope(),
        queue="email",
        until=timezone.now() + timedelta(hours=1),
        reason=Dispatch.Reason.QUIET_HOURS,
    )
    letter = DeadLetter.objects.create(
        queue="email",
        message_id="message-1",
        body=b"{}",
        event_id=delivery.event_id,
        reason="poison",
        error=f"no such mailbox: {EMAIL}",
    )

    said = in_words(delivery)

    assert said.startswith("order/1: no; not yet of order.created order/1.")
    assert "a message to queue email is due at " in said
    assert ": recipient's quiet hours" in said
    assert f"given up: dead letter {letter.pk} of email, poison; no such mailbox: g…@" in said
    assert EMAIL not in said


def test_an_event_that_has_not_come_to_a_channel_yet_is_not_told_yet() -> None:
    event = make_event(1)

    status, printed = ask("order/1")

    assert status == 1
    assert "not yet of order.created order/1" in printed
    assert "a message to topic order-events is due since " in printed
    published(event)
    assert "no channel has said anything yet" in ask("order/1")[1]


def test_an_event_of_which_there_was_nobody_to_tell_is_no_no() -> None:
    delivery_of(1)
    silent = published(make_event(1, "order.shipped"))
    Handled.objects.mark_done("email", silent.envelope())

    assert ask("order/1")[0] == 0


def test_what_was_given_up_before_any_delivery_was_not_told() -> None:
    event = published(make_event(1))
    DeadLetter.objects.create(
        queue="email", message_id="m", body=b"{}", event_id=event.pk, reason="no_such_order"
    )

    status, printed = ask("order/1")

    assert status == 1
    assert printed.startswith("order/1: no; not of order.created order/1.")


def a_digest(item: Delivery, **of_digest: Any) -> Delivery:
    """The delivery of the digest in which `item` is told."""
    window = DigestWindow.objects.create(
        id=uuid4(),
        name="orders.daily",
        channel="email",
        route="customer",
        recipient=item.recipient,
        due_at=timezone.now(),
    )
    DigestItem.objects.add(window, item.pk, item.generation)
    digest = delivery_of(9, **of_digest)
    Delivery.objects.filter(pk=digest.pk).update(event_id=window.pk, event_type="orders.daily")
    return Delivery.objects.get(pk=digest.pk)


def test_what_was_told_in_a_digest_is_told_as_that_was() -> None:
    item = delivery_of(1, state="sent", reason="in_digest", sent_at=None, attempts=0)
    digest = a_digest(item, state="sent")

    status, printed = ask("order/1")

    clock = f"{timezone.localtime(digest.sent_at):%H:%M}"
    assert status == 0
    assert f"told at {clock} by email in a digest" in printed
    assert str(digest.pk) in printed


def test_of_a_digest_of_which_nobody_knows_nobody_knows_about_its_items() -> None:
    item = delivery_of(1, state="pending", reason="digest", sent_at=None)
    a_digest(item, state="unknown", last_error="read_timeout")

    assert "nobody knows whether email told it: read_timeout" in in_words(item)
    assert told("order/1").words == "nobody knows about order.created order/1"


def test_a_digest_that_came_back_told_nobody() -> None:
    item = delivery_of(1, state="sent", reason="in_digest", sent_at=None)
    a_digest(item, state="bounced", sent_at=timezone.now())

    status, printed = ask("order/1")

    assert status == 1
    assert "and it came back" in printed


def test_what_was_left_out_of_a_digest_says_so() -> None:
    item = delivery_of(1, state="skipped", reason="left_out: expired", sent_at=None)
    a_digest(item, state="sent")

    assert "not told by email: expired, so it was left out of its digest" in in_words(item)


def test_in_json_it_is_the_same_answer() -> None:
    delivery = delivery_of(1, state="delivered")
    receipt = make_receipt(delivery, kind="delivered")

    status, printed = ask("customer/42", "--json")
    answer = json.loads(printed)

    assert status == 0
    assert answer["told"] is True
    assert answer["answer"] == "yes, told of order.created order/1"
    (event,) = answer["events"]
    (line,) = event["deliveries"]
    assert (event["standing"], event["subject"]) == ("told", "order/1")
    assert (line["id"], line["state"], line["attempts"]) == (str(delivery.pk), "delivered", 1)
    assert line["provider_message_id"] == delivery.provider_message_id
    assert [each["kind"] for each in line["receipts"]] == [receipt.kind]
    assert EMAIL not in printed


@pytest.mark.parametrize("arguments", [[" "], ["customer/42", "--since", "yesterday"], []])
def test_a_question_that_means_nothing_gets_one_line_and_no_answer(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        ask(*arguments)
    assert "\n" not in str(refused.value)


def test_wrong_arguments_do_not_exit_like_an_answer() -> None:
    with pytest.raises(CommandError) as refused:
        ask(" ")
    assert refused.value.returncode == 2


def test_the_latest_are_shown_and_that_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.told.MOST", 2)
    for number in (1, 2, 3):
        delivery_of(number)

    answer = told("customer/42")

    assert answer.cut
    assert [each.subject for each in answer.happenings] == ["order/2", "order/3"]


def test_no_question_reads_the_whole_table() -> None:
    many_deliveries(channels=("push",), states=("sent",))
    for about in ("customer/42", "order/42", EMAIL):
        with CaptureQueriesContext(connection) as captured:
            answer = told(about, since=timezone.now() - timedelta(days=3))

        assert bool(answer.happenings) is (about != EMAIL)
        reads = [sql for each in captured if "notifications_delivery" in (sql := each["sql"])]
        assert reads
        for sql in reads:
            plan = plan_of(sql)
            assert "Seq Scan on notifications_delivery" not in plan, plan
    for lookup in ("recipient", "recipient__startswith"):
        found = Delivery.objects.filter(**{lookup: "customer/42/device/42"})
        assert "delivery_by_recipient" in found.explain()
