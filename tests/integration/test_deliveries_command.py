"""`manage.py deliveries`: what an operator finds, and what may be settled."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from notifications.models import AuditEntry, Delivery, Suppression
from tests.integration.operator_rows import EMAIL, PHONE, make_attempt, make_delivery, make_event

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("deliveries", *map(str, arguments), stdout=out)
    return out.getvalue()


def listed(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("list", "--json", *arguments))
    return found


def settle(*ids: object, state: str = "sent", **options: str) -> str:
    given = {"reason": "the console shows it", "by": "mira", **options}
    return run(
        *("settle", *ids, "--as", state),
        *(word for name, value in given.items() for word in (f"--{name}", value)),
    )


def test_the_list_is_narrowed_by_state_channel_and_subject() -> None:
    unknown = make_delivery(make_event(1), state="unknown", channel="sms")
    make_delivery(make_event(2), state="sent", channel="sms")
    make_delivery(make_event(3), state="unknown", channel="email")

    for narrowed in (["--state", "unknown", "--channel", "sms"], ["--subject", "order/1"]):
        [row] = listed(*narrowed)["deliveries"]
        assert row["id"] == str(unknown.pk)
        assert row["tag"] == f"{unknown.pk}.0.1"
    assert f"{unknown.pk}.0.1  unknown     20" in run("list", "--subject", "order/1")
    assert "Nothing matches." in run("list", "--subject", "order/4")


def test_no_address_is_printed() -> None:
    for channel in ("email", "sms"):
        delivery = make_delivery(make_event(1), state="unknown", channel=channel)
        Delivery.objects.filter(pk=delivery.pk).update(last_error="")
    for printed in (run("list"), run("list", "--json")):
        assert EMAIL not in printed
        assert PHONE not in printed


def test_an_address_is_printed_where_it_is_asked_for_and_that_is_in_the_audit() -> None:
    delivery = make_delivery(make_event(1))

    assert run("reveal", delivery.pk, "--by", "mira", "--reason", "she called").strip() == EMAIL

    entry = AuditEntry.objects.get(action="personal_data.reveal", door="command")
    assert (entry.actor, entry.reason) == ("mira", "she called")
    assert entry.target == str(delivery.pk)
    assert json.loads(run("reveal", "--json", delivery.pk))["address"] == EMAIL
    with pytest.raises(CommandError, match="there is no such delivery"):
        run("reveal", uuid4())


def test_the_pages_show_every_row_once() -> None:
    rows = {str(make_delivery(make_event(number)).pk) for number in range(5)}
    shown, after = [], []
    while True:
        page = listed("--limit", 2, *after)
        shown += [row["id"] for row in page["deliveries"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert len(shown) == 5
    assert set(shown) == rows


def test_a_page_after_a_delivery_that_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError, match="there is no such delivery"):
        run("list", "--after", uuid4())


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_an_unknown_delivery_is_settled_with_who_and_why(state: str) -> None:
    delivery = make_delivery(make_event(), state="unknown")
    printed = settle(f"{delivery.pk}.0.1", state=state, reason=f"looked up for {EMAIL}")
    assert f"{delivery.pk}  unknown, is now {state}" in printed
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == (state, "settled_by_operator")
    assert delivery.last_error.startswith(f"Settled as {state} by mira: looked up for g…@")
    assert EMAIL not in delivery.last_error
    assert delivery.next_try_at is None
    assert (delivery.sent_at is not None) == (state == "sent")


@pytest.mark.parametrize("state", sorted(set(Delivery.State.values) - {"unknown"}))
def test_any_other_is_left_alone_and_the_answer_says_why(state: str) -> None:
    delivery = make_delivery(make_event(), state=state)
    unknown = make_delivery(make_event(2), state="unknown")
    with pytest.raises(SystemExit):
        settle(delivery.pk, unknown.pk)
    delivery.refresh_from_db()
    unknown.refresh_from_db()
    assert (delivery.state, unknown.state) == (state, "sent")


def test_all_that_are_unknown_for_one_cause_are_settled_at_once() -> None:
    alike = [make_delivery(make_event(number), state="unknown") for number in (1, 2)]
    other, failed = (make_delivery(make_event(3), state=state) for state in ("unknown", "failed"))
    causes = [*alike, failed]
    Delivery.objects.filter(pk__in=[each.pk for each in causes]).update(fingerprint="0a1b")
    settle("--fingerprint", "0a1b")
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert [states[each.pk] for each in (*alike, other, failed)] == [
        *("sent", "sent", "unknown", "failed")
    ]
    for more in ([], ["--channel", "sms"]):
        with pytest.raises(CommandError, match="none is unknown for that cause"):
            settle("--fingerprint", "0a1b", *more)
    with pytest.raises(CommandError, match="ids, or --fingerprint"):
        settle()


def test_of_one_cause_those_of_one_channel_are_settled() -> None:
    text, talk = (
        make_delivery(make_event(1), state="unknown", channel=name) for name in ("sms", "whatsapp")
    )
    Delivery.objects.update(fingerprint="0a1b")

    settle("--fingerprint", "0a1b", "--channel", "sms")

    assert dict(Delivery.objects.values_list("pk", "state")) == {
        text.pk: "sent",
        talk.pk: "unknown",
    }
    with pytest.raises(CommandError, match="ids, or --fingerprint"):
        settle(talk.pk, "--channel", "whatsapp")


def test_why_not_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    missing = uuid4()
    delivery = make_delivery(make_event(), state="delivered")
    with pytest.raises(SystemExit):
        call_command(
            *("deliveries", "settle", str(delivery.pk), str(missing)),
            *("--as", "sent", "--reason", "x"),
        )
    printed = capsys.readouterr().out
    assert f"{delivery.pk}  left alone: delivered, that is a last state" in printed
    assert f"{missing}  left alone: there is no such delivery" in printed


def test_a_dry_run_does_nothing() -> None:
    delivery = make_delivery(make_event(), state="unknown")
    out = StringIO()
    call_command(
        *("deliveries", "settle", str(delivery.pk), "--as", "sent"),
        *("--reason", "x", "--dry-run"),
        stdout=out,
    )
    assert "unknown, would be noted as sent" in out.getvalue()
    delivery.refresh_from_db()
    assert delivery.state == "unknown"


@pytest.mark.parametrize(
    "arguments",
    [
        ("settle", "no-id", "--as", "sent", "--reason", "x"),
        ("settle", str(uuid4()), "--as", "delivered", "--reason", "x"),
        ("settle", str(uuid4()), "--as", "sent"),
        ("settle", str(uuid4()), "--as", "sent", "--reason", " "),
        ("list", "--limit", "0"),
        ("list", "--state", "lost"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_what_is_not_to_be_told_any_more_is_discarded_by_its_id_or_a_tag() -> None:
    waiting = make_delivery(make_event(), state="pending")
    sent = make_delivery(make_event(2), state="sent")
    printed = run("discard", f"{waiting.pk}.0.1", "--reason", "a test order", "--by", "mira")
    assert f"{waiting.pk}  pending, is now discarded" in printed
    with pytest.raises(SystemExit):
        run("discard", sent.pk, "--reason", "x")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"discarded", "sent"}


def test_what_happened_to_one_is_shown_in_order_without_its_address() -> None:
    delivery = make_delivery(make_event(), state="failed")
    make_attempt(delivery)
    run("discard", delivery.pk, "--reason", "a test order", "--by", "mira")
    shown = run("show", delivery.pk)
    parts = ["order.created recorded", "attempt 0.1: claimed", "by mira: a test order"]
    assert sorted(parts, key=shown.index) == parts
    assert EMAIL not in shown
    told = json.loads(run("show", delivery.pk, "--json"))
    assert [each["kind"] for each in told["timeline"]].count("attempt") == 2
    with pytest.raises(CommandError, match="There is no delivery"):
        run("show", uuid4())


def test_who_looks_at_the_words_is_audited() -> None:
    delivery = make_delivery(make_event())
    assert "what was sent: what was said is kept no longer" in run("show", delivery.pk, "--words")
    assert AuditEntry.objects.get(target=str(delivery.pk)).action == "personal_data.reveal"


def test_its_address_is_suppressed() -> None:
    delivery = make_delivery(make_event())
    assert "is suppressed" in run("suppress", delivery.pk, "--reason", "she called")
    assert "already" in run("suppress", delivery.pk, "--reason", "she called")
    assert Suppression.objects.get().delivery_id == delivery.pk


@pytest.mark.parametrize(
    ("typed", "said"),
    [("carrier=DHL", "may be edited"), ("carrier", "no FIELD=TEXT")],
)
def test_what_may_not_be_edited_is_said(typed: str, said: str) -> None:
    delivery = make_delivery(make_event())
    with pytest.raises(CommandError, match=said):
        run("edit", delivery.pk, "--set", typed, "--reason", "x")
