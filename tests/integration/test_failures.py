"""Failures in groups: each counted once, from two indexes, with a note that stays."""

from __future__ import annotations

import io
import json
import pickle
from collections import Counter
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications import failures, fingerprints, redrive, resend
from notifications.channels.memory import MemoryChannel
from notifications.dead_letters import Failure
from notifications.exceptions import (
    AttemptsExhausted,
    NotificationError,
    PermanentError,
    TransientError,
)
from notifications.failure_counts import Selection
from notifications.failures import By
from notifications.models import AuditEntry, DeadLetter, Delivery, Event, FailureNote, Job
from tests.integration.letters import come_due, letter, tell
from tests.integration.operator_rows import make_delivery, make_event
from tests.plans import analyze, many_deliveries, plan_of

pytestmark = pytest.mark.django_db

CAUSE, OTHER = "c0ffee", "bad0"


def a_letter(fingerprint: str = CAUSE, **given: Any) -> DeadLetter:
    values = {"queue": "analytics", "message_id": str(uuid4()), "body": b"{}", "reason": "failed"}
    return DeadLetter.objects.create(**values | {"fingerprint": fingerprint} | given)


def a_failure(number: int = 1, *, fingerprint: str = CAUSE, ago: float = 0, **given: Any) -> Event:
    """A delivery that has failed so many minutes ago; its event."""
    event = make_event(number)
    delivery = make_delivery(event, state=given.pop("state", "failed"))
    values: dict[str, Any] = {"provider": "ses", "reason": "MessageRejected", **given}
    moment = timezone.now() - timedelta(minutes=ago)
    Delivery.objects.filter(pk=delivery.pk).update(
        fingerprint=fingerprint, updated_at=moment, **values
    )
    return event


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("failures", *arguments, stdout=out)
    return out.getvalue()


def test_dead_letters_and_failed_deliveries_of_one_cause_are_one_group() -> None:
    event = a_failure(1)
    a_failure(2)
    a_letter(queue="email", event_id=event.pk, event_type="order.created")  # the first one's own
    a_letter(queue="email-bulk", event_id=uuid4(), event_type="order.shipped")
    a_failure(3, fingerprint=OTHER)
    a_letter(OTHER, state="discarded")
    a_failure(4, state="sent")

    first, second = failures.groups().groups

    assert (first.key, first.count) == (CAUSE, 3)
    assert (first.failed, first.unknown, first.letters) == (2, 0, 2)
    assert first.channels == {"email"}
    assert first.providers == {"ses"}
    assert first.event_types == {"order.created", "order.shipped"}
    assert isinstance(first.example, DeadLetter)
    assert (second.key, second.count) == (OTHER, 1)
    assert isinstance(second.example, Delivery)


def test_an_unknown_one_is_a_failure_once_nothing_happens_to_it_by_itself() -> None:
    a_failure(1, state="unknown")
    a_failure(2, state="unknown", next_try_at=timezone.now())
    (group,) = failures.groups().groups
    assert (group.count, group.unknown, group.failed) == (1, 1, 0)


def test_the_trend_compares_the_last_hour_with_the_one_before() -> None:
    for number, ago in enumerate([1, 59, 61, 200]):
        a_failure(number, ago=ago)
    group = failures.group(CAUSE)
    assert (group.last_hour, group.hour_before) == (2, 1)
    assert group.first_seen_at is not None
    assert group.last_seen_at is not None
    assert timedelta(minutes=198) < group.last_seen_at - group.first_seen_at


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        (By.CHANNEL, ["email", "analytics"]),
        (By.PROVIDER, ["ses", ""]),
        (By.EVENT_TYPE, ["order.created", ""]),
    ],
)
def test_they_are_grouped_by_what_else_they_have_in_common(by: By, keys: list[str]) -> None:
    a_failure(1)
    a_failure(2, fingerprint=OTHER)
    a_letter()
    found = failures.groups(by=by)
    assert [group.key for group in found.groups] == keys
    assert found.groups[0].fingerprints == {CAUSE, OTHER}
    assert found.total == 3


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (Selection(channel="email"), 1),
        (Selection(channel="analytics"), 1),
        (Selection(provider="ses"), 1),
        (Selection(event_type="order.created"), 1),
        (Selection(fingerprint=CAUSE), 2),
        (Selection(fingerprint="none"), 0),
    ],
)
def test_a_selection_means_the_same_rows_to_a_job(selection: Selection, count: int) -> None:
    a_failure(1)
    a_letter()
    a_failure(2, fingerprint=OTHER, channel="sms", provider="sns", event_type="order.shipped")
    a_letter(OTHER, queue="payments")

    assert failures.groups(selection).total == count
    wanted = failures.letters_of(selection)
    letters = redrive.Redrive().found(wanted).count() if wanted is not None else 0
    deliveries = resend.Resend().found(failures.deliveries_of(selection, "failed")).count()
    assert letters + deliveries == count


def test_groups_cost_five_queries_and_no_walk_through_the_deliveries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        a_failure(number, fingerprint=f"f{number}")
        a_letter(f"l{number}")
    with django_assert_num_queries(5), CaptureQueriesContext(connection) as asked:
        assert len(failures.groups().groups) == 60
    many_deliveries(states=("sent",))
    analyze(DeadLetter)
    plan = plan_of(asked[0]["sql"])
    assert "delivery_failures" in plan
    assert "Seq Scan on notifications_delivery" not in plan
    assert "SubPlan" not in plan  # for each letter


def test_what_was_tried_too_often_is_told_apart_by_what_went_wrong_each_time() -> None:
    def tried(code: str) -> str:
        error = AttemptsExhausted("9 attempts")
        error.__cause__ = TransientError("later", code)
        return fingerprints.of(error)

    assert tried("Throttling") == tried("Throttling") != tried("http_503")
    assert fingerprints.of(AttemptsExhausted("9 attempts")) not in (tried("Throttling"), "")


def test_what_failed_before_there_were_fingerprints_is_given_them_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filling = import_module("notifications.migrations.0027_failures_by_cause")
    monkeypatch.setattr(filling, "CHUNK", 2)
    for number in range(5):
        a_failure(number, fingerprint="")
    a_failure(8, fingerprint="", state="unknown", reason="")
    a_failure(9, fingerprint="", state="sent")
    known = a_failure(10, fingerprint=OTHER)

    filling.fill(None, SimpleNamespace(connection=connection))

    of_all = dict(Delivery.objects.values_list("event_id", "fingerprint"))
    assert of_all.pop(known.pk) == OTHER
    refused = fingerprints.of(PermanentError("no", "MessageRejected"))
    assert sorted(Counter(of_all.values()).values()) == [1, 1, 5]
    assert Counter(of_all.values())[refused] == 5


def test_a_note_is_written_changed_and_cleared_and_the_audit_keeps_it() -> None:
    failures.write_note(CAUSE, "  ask ann@example.org ", by="ada")
    failures.write_note(CAUSE, "mended in 1.2", by="bob")
    assert (failures.group(CAUSE).note or FailureNote()).text == "mended in 1.2"
    failures.write_note(CAUSE, "", by="ada")
    failures.write_note(CAUSE, "", by="ada")

    assert not FailureNote.objects.exists()
    told = list(AuditEntry.objects.order_by("id").values_list("action", "actor", "before", "after"))
    assert [each[:2] for each in told] == [
        ("failure_note.write", "ada"),
        ("failure_note.write", "bob"),
        ("failure_note.clear", "ada"),
    ]
    assert "ann@example.org" not in str(told)
    assert told[1][2:] == ({"text": told[0][3]["text"]}, {"text": "mended in 1.2"})


def test_the_command_lists_groups_and_says_what_to_type() -> None:
    event = a_failure(1)
    a_letter(queue="email", event_id=event.pk)
    run("note", CAUSE, "--text", "known", "--by", "ada")

    said = run()
    assert said.startswith(f"1  {CAUSE}  failed  email  ses  order.created")
    assert "known (ada)" in said
    assert f"manage.py redrive --fingerprint {CAUSE}" in said

    (group,) = json.loads(run("list", "--json"))["groups"]
    assert (group["key"], group["count"], group["letters"], group["failed"]) == (CAUSE, 1, 1, 1)
    assert group["note"] == "known"
    assert json.loads(run("list", "--by", "channel", "--json"))["groups"][0]["key"] == "email"
    assert run("list", "--channel", "sms") == "Nothing fails.\n"
    with pytest.raises(CommandError, match="'x/y' is no fingerprint"):
        run("note", "x/y", "--text", "known")


def test_what_was_found_as_failed_and_is_sent_by_now_is_not_sent_again() -> None:
    a_failure(1, state="sent")
    job = Job(kind="resend", filter={"state": ["failed"]})
    assert resend.Resend().weigh(Delivery.objects.get(), job).why == "it is sent by now"


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(("answer", "times"), [("server_error", 3), ("refuse", 1)])
def test_a_failed_delivery_and_its_dead_letter_have_one_fingerprint(
    answer: str, times: int
) -> None:
    event = letter()
    given = {"code": "MessageRejected"} if answer == "refuse" else {}
    MemoryChannel.script("email", answer, times=times, **given)
    for _ in range(times):
        with pytest.raises(NotificationError) as told:
            tell(event)
        come_due()

    delivery = Delivery.objects.get()
    buried = Failure.of(pickle.loads(pickle.dumps(told.value)), attempts=times)  # noqa: S301
    assert (delivery.state, delivery.provider) == ("failed", "postman")
    assert delivery.fingerprint == buried.fingerprint != ""
    assert failures.groups(Selection(provider="postman")).total == 1
