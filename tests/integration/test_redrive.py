"""`manage.py redrive`: dead letters in stages, done again where they failed, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from notifications import envelope, jobs
from notifications.channels.base import Accepted, Message
from notifications.channels.correlation import Correlation, to_ses_tags
from notifications.channels.memory import MemoryChannel
from notifications.channels.receipts.consumer import SOURCE
from notifications.conf import conf
from notifications.dead_letters import Failure, Letter
from notifications.envelope import Envelope
from notifications.exceptions import NotificationError, PermanentError
from notifications.identifiers import uuid7
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Handled, Job, JobItem
from notifications.provenance import NotRecorded, prove
from notifications.redrive import Redrive
from tests.integration import ledger
from tests.integration.letters import ANN, BEN, Town, letter, tell
from tests.integration.test_resend import TOO_OLD, recorded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]


def refuse(message: Message) -> Accepted:
    raise PermanentError("no such mailbox", "MessageRejected")


def buried(event: Envelope | str, *, queue: str = "email", number: int = 0, **given: Any) -> int:
    """The dead letter of that event or body."""
    told = {} if isinstance(event, str) else _identity(event)
    DeadLetter.objects.keep(
        Letter(
            queue=queue,
            dead_letters=f"test-{queue}-dlq",
            message_id=f"message-{number or DeadLetter.objects.count()}",
            body=event if isinstance(event, str) else envelope.write(event),
            failure=Failure("failed", error="no such mailbox", fingerprint="cause"),
            first_seen=timezone.now(),
            **told,
        )
    )
    made = DeadLetter.objects.latest("id")
    if given:
        DeadLetter.objects.filter(pk=made.pk).update(**given)
    return made.pk


def _identity(event: Envelope) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "event_type": event.type,
        "subject": event.subject,
        "generation": event.generation,
    }


def a_receipt(tag: str) -> str:
    """As SES says it."""
    tags = {each["Name"]: [each["Value"]] for each in to_ses_tags(Correlation(tag))}
    moment = timezone.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    mail = {"timestamp": moment, "messageId": "m-1", "tags": tags}
    return json.dumps({"eventType": "Send", "send": {}, "mail": mail})


def failed(town: Town) -> Envelope:
    """An event whose mail was refused, and that lies among the dead letters."""
    event = recorded()
    town.on_send = refuse
    with pytest.raises(PermanentError):
        tell(event)
    town.on_send = None
    buried(event)
    return event


def work(job: Job) -> None:
    """What relay and worker do with what has been ordered."""
    for dispatch in Dispatch.objects.filter(state="waiting"):
        assert dispatch.event is not None
        event = dispatch.event.envelope(generation=dispatch.generation)
        try:
            tell(event)
        except NotificationError:
            buried(event)
        else:
            Handled.objects.close_open("email", event)
        Dispatch.objects.filter(pk=dispatch.pk).update(state="published")


def begin(**wanted: Any) -> Job:
    return jobs.begin(Redrive(), wanted, by="mira", reason="mended", rate=1000.0, stage=(1, 1))


def run(job: Job) -> Job:
    return jobs.run(Redrive(), job.pk, said=work)


def redrive(*arguments: object) -> str:
    out = StringIO()
    call_command("redrive", *map(str, arguments), "--by", "mira", stdout=out)
    return out.getvalue()


def only_item(*wanted: int) -> tuple[str, str]:
    """What becomes of the only letter there is."""
    [(outcome, why)] = _begun(
        begin(id=list(wanted) or list(DeadLetter.objects.values_list("pk", flat=True)))
    )
    return outcome, why


def _begun(job: Job) -> list[tuple[str, str]]:
    jobs.run(Redrive(), job.pk, stopping=lambda: not job.items.waiting().exists())
    return list(job.items.values_list("outcome", "why"))


def go_on_once(job: Job) -> Job:
    jobs.go_on(Redrive(), job.pk, by="mira")
    return jobs.run(Redrive(), job.pk, stopping=lambda: True)


def test_each_stage_waits_for_the_one_before_and_all_are_done_once(town: Town) -> None:
    events = [failed(town) for _ in range(13)]
    job = run(begin(queue=["email"]))
    assert (job.state, job.counts["done"]) == ("done", 13)
    assert Counter(job.items.values_list("stage", flat=True)) == {1: 1, 2: 10, 3: 2}
    sent = [each.tag for each in MemoryChannel.outbox("email")]
    assert sorted(sent) == sorted(
        f"{delivery.pk}.1.1"
        for delivery in Delivery.objects.filter(event__in=[e.id for e in events])
    )
    assert not DeadLetter.objects.filter(state="open").exists()
    assert [entry.text for entry in job.log.order_by("id")][1:] == [
        "stage 1 is over",
        "stage 2 is over",
        "done: 13 done",
    ]
    assert set(Dispatch.objects.values_list("destination", "reason")) == {
        ("email-bulk", "redriven")
    }


def test_a_stage_that_fails_again_stops_and_the_rest_goes_on_when_it_is_mended(town: Town) -> None:
    for _ in range(3):
        failed(town)
    town.on_send = refuse
    job = run(begin(queue=["email"]))
    assert (job.state, job.stage) == ("stopped", 1)
    assert job.counts == {"waiting": 2, "dispatched": 0, "failed": 1}
    assert "stage 1 failed again: order/7" in str(job.log.latest("id"))
    assert "no such mailbox" in str(job.log.latest("id"))
    assert DeadLetter.objects.filter(state="open").count() == 3  # one of them has come back

    town.on_send = None
    jobs.go_on(Redrive(), job.pk, by="ada")
    job = run(job)
    assert (job.state, job.counts["done"], job.counts["failed"]) == ("done", 2, 1)
    assert list(job.items.order_by("id").values_list("stage", flat=True)) == [1, 1, 2]
    assert run(begin(queue=["email"])).counts["done"] == 1
    assert len(MemoryChannel.outbox("email")) == 3


def test_what_was_sent_stays_sent(town: Town) -> None:
    town.people = [ANN, BEN]
    event = recorded()

    def refuse_ben(message: Message) -> Accepted:
        return refuse(message) if message.address == BEN.address else Accepted("m-1")

    town.on_send = refuse_ben
    with pytest.raises(PermanentError):
        tell(event)
    town.on_send = None
    buried(event)
    run(begin(queue=["email"]))
    assert [each.address for each in MemoryChannel.outbox("email")] == [BEN.address]
    assert dict(Delivery.objects.values_list("recipient", "generation")) == {
        ANN.reference: 0,
        BEN.reference: 1,
    }


def test_two_letters_of_one_event_tell_once(town: Town) -> None:
    event = failed(town)
    buried(event)
    job = run(begin(queue=["email"]))
    assert job.counts["done"] == 2
    assert len(MemoryChannel.outbox("email")) == 1


def test_a_letter_that_fails_before_its_delivery_fails_it_too(town: Town) -> None:
    event = failed(town)

    def give_up(job: Job) -> None:
        if Dispatch.objects.filter(state="waiting").update(state="published"):
            error = PermanentError("there is no order/7 here", "no_such_order")
            Handled.objects.mark_failed("email", replace(event, generation=1), error)

    job = jobs.run(Redrive(), begin(queue=["email"]).pk, said=give_up)
    assert job.state == "stopped"
    assert "no_such_order" in job.items.get().why
    assert Delivery.objects.get().state == "failed"


@pytest.mark.parametrize("is_put_off", [False, True])
def test_one_that_comes_back_among_the_dead_letters_has_failed_again(
    town: Town, is_put_off: bool
) -> None:
    """SQS moved it, say: nobody lived to write it down. Put off, it had another message's id."""
    event = failed(town)

    def bury(job: Job) -> None:
        dispatches = Dispatch.objects.filter(state="waiting")
        if dispatches.update(state="published", message_id="message-99"):
            buried(replace(event, generation=1), number=98 if is_put_off else 99)

    job = jobs.run(Redrive(), begin(queue=["email"]).pk, said=bury)
    assert (job.state, job.counts["failed"]) == ("stopped", 1)


@pytest.mark.parametrize("body", ["not JSON", "[1]", '{"specversion": "1.0"}', "\ud800"])
def test_what_is_no_event_is_refused_with_the_reason(body: str) -> None:
    outcome, why = only_item(buried(body))
    assert outcome == "refused"
    assert why.startswith("its consumer could not read it: not_an_event")
    assert DeadLetter.objects.get().state == "open"
    assert not Dispatch.objects.exists()


def test_a_refused_letter_is_named_also_when_it_has_no_subject() -> None:
    number = buried("not JSON")
    assert f"  {number}  refused: its consumer" in redrive("--queue", "email", "--reason", "x")
    out = StringIO()
    call_command("jobs", "show", str(Job.objects.get().pk), stdout=out)
    assert f"  {number}  refused: its consumer" in out.getvalue()


def test_an_event_that_nobody_knows_yet_is_refused() -> None:
    outcome, why = only_item(buried(replace(letter(), type="order.vanished")))
    assert (outcome, "unknown_event" in why) == ("refused", True)


def test_a_letter_of_a_queue_that_is_no_more_is_refused() -> None:
    outcome, why = only_item(buried(letter(), queue="fax"))
    assert (outcome, "No queue is named 'fax'" in why) == ("refused", True)


@pytest.mark.parametrize("column", ["first_seen_at", "created_at"])
def test_a_letter_older_than_the_inbox_reaches_is_refused(column: str) -> None:
    outcome, why = only_item(buried(letter(), **{column: timezone.now() - TOO_OLD}))
    assert (outcome, "too old" in why) == ("refused", True)


def test_a_letter_about_an_event_older_than_the_inbox_reaches_is_refused() -> None:
    outcome, why = only_item(buried(letter(age=TOO_OLD)))
    assert (outcome, "too old" in why) == ("refused", True)


def test_one_that_is_dealt_with_meanwhile_is_left_alone() -> None:
    job = begin(id=[buried(letter())])
    DeadLetter.objects.update(state="discarded")
    assert _begun(job) == [("left_alone", "it is discarded already")]
    assert not Dispatch.objects.exists()


def test_what_a_service_has_done_already_is_left_alone() -> None:
    event = recorded()
    Handled.objects.mark_done(ledger.NAME, event)
    with ledger.registered():
        assert only_item(buried(event, queue=ledger.NAME)) == (
            "left_alone",
            "ledger has done it already",
        )


def test_a_service_is_given_a_fresh_start() -> None:
    event = recorded()
    Handled.objects.mark_failed(ledger.NAME, event, KeyError("sku"), uncounted=9)
    with ledger.registered():
        assert only_item(buried(event, queue=f"{ledger.NAME}-bulk")) == ("dispatched", "")
    row = Handled.objects.get()
    assert (row.outcome, row.generation, row.attempts, row.starts) == ("open", 1, 0, 0)
    assert row.last_error == "redriven after failed: no such mailbox"
    assert Dispatch.objects.get().destination == f"{ledger.NAME}-bulk"


def test_the_generation_is_later_than_any_that_was_seen(town: Town) -> None:
    failed(town)
    Delivery.objects.update(generation=4)
    assert only_item()[0] == "dispatched"
    assert Dispatch.objects.get().generation == 5
    assert Delivery.objects.get().generation == 5


def test_one_that_cannot_be_ordered_is_refused_and_keeps_no_other_waiting() -> None:
    last, other = replace(recorded(), generation=2**31 - 1), recorded()
    assert sorted(_begun(begin(id=[buried(last), buried(other)]))) == [
        ("dispatched", ""),
        ("refused", "its message could not be ordered: DataError"),
    ]
    assert Dispatch.objects.get().event_id == other.id
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"open", "redriven"}


def test_a_foreign_event_is_recorded_and_can_carry_a_generation() -> None:
    flat = {"event_type": "order.created", "order_id": 7, "timestamp": timezone.now().isoformat()}
    assert only_item(buried(json.dumps(flat)))[0] == "dispatched"
    dispatch = Dispatch.objects.get()
    assert dispatch.event == Event.objects.get()
    assert (dispatch.event.foreign, dispatch.generation) == (True, 1)


def test_an_event_that_is_kept_no_longer_is_kept_again() -> None:
    """So it can be put off as any other, by its recipient's quiet hours, say."""
    assert only_item(buried(replace(letter(), source=conf().source)))[0] == "dispatched"
    ordered = Dispatch.objects.get()
    assert ordered.event is not None
    assert ordered.event.expected == []  # who has done it has forgotten it, and owes no report
    again = ordered.event.envelope(generation=ordered.generation)
    Dispatch.objects.postpone(again, queue="email", until=timezone.now())
    connection.check_constraints()


def test_where_our_outbox_is_asked_such_an_event_travels_in_its_own_words(settings: Any) -> None:
    """And is found not to be recorded: it may never have been."""
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FOREIGN_EVENTS": []}
    event = replace(letter(), source=conf().source)
    assert only_item(buried(event))[0] == "dispatched"
    dispatch = Dispatch.objects.get()
    assert dispatch.event is None
    assert envelope.read(dispatch.body or "") == replace(event, generation=1)


def test_whoever_redrives_what_the_outbox_does_not_hold_vouches_for_it(settings: Any) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FOREIGN_EVENTS": []}
    event = replace(letter(), source=conf().source)
    assert only_item(buried(event, reason=NotRecorded.default_code))[0] == "dispatched"
    ordered = Dispatch.objects.get()
    assert ordered.event is not None
    prove(ordered.event.envelope(generation=ordered.generation))
    with pytest.raises(NotRecorded):  # but for no other copy of it, on any queue
        prove(event)


def test_a_receipt_goes_as_it_came() -> None:
    body = a_receipt(f"{uuid7()}.0.1")
    event = SOURCE.read(body)
    assert event is not None
    assert only_item(buried(body, queue="receipts"))[0] == "dispatched"
    dispatch = Dispatch.objects.get()
    assert (dispatch.body, dispatch.destination, dispatch.event) == (body, "receipts", None)
    assert Handled.objects.get().event_id == event.id
    assert dispatch.available_at - event.time > timedelta(minutes=15)


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_receipt_whose_message_is_lost_ends_its_job_and_is_a_dead_letter_again(
    is_swept: bool,
) -> None:
    """Its queue was purged, say. No replay could bring it on: it has no event."""
    job = begin(id=[buried(a_receipt(f"{uuid7()}.0.1"), queue="receipts")])
    assert _begun(job) == [("dispatched", "")]
    published = Dispatch.objects.filter(state="waiting")
    published.update(state="published", published_at=timezone.now())
    assert go_on_once(job).state == "stopped"  # it may lie on its queue for fourteen days

    long_ago = timezone.now() - timedelta(days=14, seconds=1)
    JobItem.objects.update(moved_at=long_ago)
    Dispatch.objects.update(published_at=long_ago)
    if is_swept:  # Retention.dispatches
        Dispatch.objects.all().delete()
    job = go_on_once(job)
    assert (job.state, job.counts) == ("done", {"waiting": 0, "dispatched": 0, "refused": 1})
    item = job.items.get()
    assert "its message is lost" in item.why
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.changed_by) == ("open", "mira")
    assert letter.change_reason == item.why
    assert Handled.objects.get().outcome == "failed"
    assert only_item(letter.pk) == ("dispatched", "")


def test_a_dry_run_changes_nothing(town: Town) -> None:
    failed(town)
    buried("no event")
    printed = redrive("--queue", "email", "--dry-run")
    assert "would be dispatched" in printed
    assert "would be refused: its consumer could not read it" in printed
    assert json.loads(redrive("--queue", "email", "--dry-run", "--json"))["counts"] == {
        "dispatched": 1,
        "refused": 1,
    }
    assert not Job.objects.exists()
    assert not JobItem.objects.exists()
    assert not Dispatch.objects.exists()
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"open"}
    assert Delivery.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["--queue", "sms"], 1),
        (["--queue", "email", "sms"], 3),
        (["--queue", "email", "--queue", "sms"], 3),
        (["--queue", "email"], 2),
        (["--queue", "email-bulk"], 1),
        (["--event-type", "order.created"], 3),
        (["--event-type", "order.shipped"], 0),
        (["--fingerprint", "cause"], 3),
        (["--fingerprint", "other"], 0),
        (["--since", "1h"], 3),
        (["--until", "1h"], 0),
    ],
)
def test_letters_are_chosen_by_queue_type_cause_and_time(wanted: list[str], found: int) -> None:
    buried(letter())
    buried(letter(), queue="sms")
    buried(letter(), queue="email-bulk")
    buried(letter(), state="discarded")
    assert json.loads(redrive(*wanted, "--dry-run", "--json"))["total"] == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason", "x"], "Say which"),
        (["--queue", "email"], "Say why"),
        (["--queue", "fax", "--reason", "x"], "No queue is named 'fax'; there are: analytics"),
        (["--id", "one", "--reason", "x"], "'one' is no whole number from 1"),
        (["--id", "0", "--reason", "x"], "'0' is no whole number from 1"),
        (["--job", "0", "--reason", "x"], "'0' is no whole number from 1"),
        (["--event-type", "order.craeted", "--reason", "x"], "No event type is named 'order.crae"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("redrive", *arguments)
