"""`manage.py drop`: what waits of one kind is told no more, and is on record as discarded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import digests, dropping, jobs, pauses, redrive, switches
from notifications import envelope as wire
from notifications.channels.memory import MemoryChannel
from notifications.conf import Digest, QuietHours, Route
from notifications.envelope import Envelope
from notifications.models import (
    AuditEntry,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    Job,
    JobItem,
    Pause,
)
from notifications.work import Outcome
from tests.integration.letters import ANN, BEN, Town, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

CREATED = ("--event-type", "order.created")


def drop(*arguments: str, reason: str = "the price was wrong") -> str:
    out = StringIO()
    call_command("drop", *arguments, "--reason", reason, "--by", "mira", stdout=out)
    return out.getvalue()


def happened(**given: Any) -> Envelope:
    envelope = letter(**given)
    Event.objects.keep(envelope)
    return envelope


def put_off(envelope: Envelope, *queues: str) -> None:
    """As the workers do while its type is paused."""
    pauses.pause(Pause.Kind.EVENT_TYPE, envelope.type, by="ada", reason="the price is wrong")
    for queue in queues:
        assert pauses.put_off(envelope, queue)
    switches.look_again()


def states(channel: str = "email") -> dict[str, str]:
    found = Delivery.objects.filter(channel=channel)
    return dict(found.values_list("recipient", "state"))


def test_what_was_put_off_is_discarded_for_everybody_with_who_and_why(town: Town) -> None:
    town.people = [ANN, BEN]
    envelope = happened()
    put_off(envelope, "email", "sms", "payments")

    drop(*CREATED, "--channel", "email")

    assert states() == {ANN.reference: "discarded", BEN.reference: "discarded"}
    assert states("sms") == {}
    assert set(Dispatch.objects.values_list("destination", flat=True)) == {"sms", "payments"}
    item = JobItem.objects.get()
    assert (item.outcome, item.consumer) == (Outcome.DONE, "email")
    assert item.why.endswith("2 deliveries discarded")
    entry = AuditEntry.objects.get(action="job.drop")
    assert (entry.actor, entry.reason) == ("mira", "the price was wrong")
    assert (entry.target, entry.count) == (str(item.job_id), 1)


def test_a_message_that_still_comes_for_it_tells_nobody() -> None:
    envelope = happened()
    put_off(envelope, "email")
    drop(*CREATED)

    tell(envelope)

    assert MemoryChannel.outbox("email") == []
    assert states() == {ANN.reference: "discarded"}


def test_what_a_service_has_to_do_is_never_dropped() -> None:
    put_off(happened(), "payments", "analytics")
    assert "0 items" in drop(*CREATED)
    assert Dispatch.objects.count() == 2


def test_what_was_told_stays_told() -> None:
    envelope = happened()
    tell(envelope)
    put_off(envelope, "email-bulk")

    drop(*CREATED)

    assert states() == {ANN.reference: "sent"}
    assert not Dispatch.objects.exists()


def test_whom_the_shop_does_not_name_nobody_misses(town: Town) -> None:
    town.people = []
    envelope = happened()
    put_off(envelope, "email")
    drop(*CREATED)
    assert Handled.objects.get(event_id=envelope.id, consumer="email").outcome == "done"


def test_the_redrive_of_what_is_dropped_is_over(town: Town) -> None:
    envelope = happened()
    letter_ = DeadLetter.objects.create(
        queue="email",
        message_id="m-1",
        body=wire.write(envelope).encode(),
        event_id=envelope.id,
        reason="failed",
        first_seen_at=timezone.now(),
    )
    assert redrive.redrive_one(letter_, by="mira", reason="mended") == ""

    drop(*CREATED)

    job = Job.objects.get(kind="redrive")
    jobs.run(redrive.Redrive(), jobs.go_on(redrive.Redrive(), job.pk, by="mira").pk)
    assert Job.objects.get(pk=job.pk).counts == {"waiting": 0, "dispatched": 0, "done": 1}
    assert Handled.objects.get(event_id=envelope.id).outcome == "done"


def test_only_what_waits_for_the_reason_that_is_given(settings: Any) -> None:
    now = datetime.now(UTC)
    night = QuietHours(f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=2):%H:%M}")
    settings.TIME_ZONE = "UTC"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {"email": night}}
    asleep, held = happened(), happened()
    tell(asleep)
    put_off(held, "email")
    asleep_one = Dispatch.objects.earliest("pk").pk

    assert drop(*CREATED, "--waiting", "quiet_hours", "--dry-run").splitlines() == [
        "1  order.created  email  recipient's quiet hours",
        f"{asleep_one}  order.created  order/7  email  quiet_hours  would be done",
        "1 done. Nothing was done.",
    ]
    drop(*CREATED, "--waiting", "quiet_hours")

    assert Delivery.objects.get(event_id=asleep.id).state == "discarded"
    assert not Delivery.objects.filter(event_id=held.id).exists()
    assert Dispatch.objects.get().event_id == held.id


def test_a_digest_is_dropped_with_all_that_it_would_have_told(
    settings: Any, tmp_path: Path
) -> None:
    hourly = Digest("orders.hourly", window=timedelta(hours=1))
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ROUTES": {"order.created": [Route("email", digest=hourly)]},
    }
    tell(happened())

    drop("--event-type", "orders.hourly")
    digests.settle_all()

    assert set(Delivery.objects.values_list("event_type", "state")) == {
        ("orders.hourly", "discarded"),
        ("order.created", "discarded"),
    }


def test_what_a_relay_has_taken_is_left_alone() -> None:
    put_off(happened(), "email")
    Dispatch.objects.update(available_at=timezone.now() - timedelta(minutes=1))
    found = Dispatch.objects.get()
    Dispatch.objects.claim(10)

    verdict = dropping.Drop().order(found, job=None, at=timezone.now())  # type: ignore[arg-type]

    assert verdict.outcome == Outcome.LEFT_ALONE
    assert Dispatch.objects.get().state == "claimed"
    assert states() == {}


def test_a_wish_that_means_everything_or_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="of which event type"):
        drop()
    with pytest.raises(CommandError, match="No channel is named 'letter'; there are: email"):
        drop(*CREATED, "--channel", "letter")
