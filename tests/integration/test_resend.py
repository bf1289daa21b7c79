"""`manage.py resend`: what is sent once more, what is refused, and what is left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import jobs
from notifications.channels.memory import MemoryChannel
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.models import Delivery, Dispatch, Event, Handled, Job, JobItem
from notifications.models.settlement import Word
from notifications.resend import Resend
from notifications.work import Outcome
from tests.integration.letters import ANN, BEN, Town, letter, tell

TOO_OLD = timedelta(days=1000)
"""More than anybody is told to keep what was done."""

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]


def recorded(*, age: timedelta = timedelta()) -> Envelope:
    """An event of the outbox."""
    told = letter(age=age)
    Event.objects.create(
        **{
            name: getattr(told, name)
            for name in ("id", "type", "source", "subject", "time", "data")
        },
        recorded_at=told.time,
    )
    return told


def sent(**given: Any) -> Envelope:
    """One that Ann has been sent by mail."""
    event = recorded(**given)
    tell(event)
    return event


def resend(*arguments: object, reason: str = "she lost it", **options: Any) -> str:
    out = StringIO()
    reasons = ["--reason", reason] if reason else []
    call_command("resend", *map(str, arguments), *reasons, "--by", "mira", stdout=out, **options)
    return out.getvalue()


def items() -> list[tuple[str, str]]:
    return list(JobItem.objects.order_by("id").values_list("outcome", "why"))


def message() -> Envelope:
    """What the latest dispatch brings to the worker."""
    dispatch = Dispatch.objects.latest("id")
    assert dispatch.event is not None
    return dispatch.event.envelope(generation=dispatch.generation)


def mails() -> list[str]:
    return [each.tag for each in MemoryChannel.outbox("email")]


def test_a_sent_one_is_sent_once_more_as_of_its_next_generation() -> None:
    event = sent()
    before = Delivery.objects.get()

    printed = resend("--delivery", before.pk)

    delivery, dispatch = Delivery.objects.get(), Dispatch.objects.get()
    assert (delivery.state, delivery.generation, delivery.attempts) == ("pending", 1, 0)
    assert (delivery.token, delivery.provider_message_id, delivery.finished_at) == (None, "", None)
    assert (dispatch.destination, dispatch.reason, dispatch.generation) == (
        "email-bulk",
        "resent",
        1,
    )
    assert "1 dispatched" in printed
    tell(event)  # a copy of the first message is a duplicate now
    assert mails() == [f"{before.pk}.0.1"]
    tell(message())
    tell(message())
    assert mails() == [f"{before.pk}.0.1", f"{before.pk}.1.1"]
    assert Delivery.objects.get().state == "sent"


def test_the_job_says_who_why_what_and_how_it_went() -> None:
    sent()
    answer = json.loads(resend("--order", 7, "--json"))
    job = Job.objects.get()
    assert answer["job"] == job.pk
    assert (answer["state"], answer["total"], answer["counts"]) == ("done", 1, {"dispatched": 1})
    assert (job.actor, job.reason, job.filter) == ("mira", "she lost it", {"subject": ["order/7"]})
    assert [entry.text for entry in job.log.order_by("id")] == [
        "begun, 1 item: she lost it",
        "done: 1 dispatched",
    ]
    item = job.items.get()
    assert (item.subject, item.consumer, item.generation) == ("order/7", "email", 1)
    assert item.dispatch_id == Dispatch.objects.get().pk


def test_a_dry_run_changes_nothing() -> None:
    sent()
    printed = resend("--order", 7, "--dry-run", reason="")
    assert "would be dispatched" in printed
    assert "Nothing was done." in printed
    answer = json.loads(resend("--order", 7, "--dry-run", "--json", reason=""))
    assert answer["counts"] == {"dispatched": 1}
    assert "@" not in json.dumps(answer)
    assert not Job.objects.exists()
    assert not Dispatch.objects.exists()
    assert Delivery.objects.get().state == "sent"


def test_what_has_become_untrue_is_refused_and_the_answer_says_why(town: Town) -> None:
    sent()
    town.untrue = "the order was cancelled"
    printed = resend("--order", 7)
    assert items() == [("refused", "no_longer_true: the order was cancelled")]
    assert "the order was cancelled" in printed
    assert Delivery.objects.get().state == "sent"
    assert not Dispatch.objects.exists()


def test_an_override_is_kept_on_the_delivery_and_obeyed_when_it_is_sent(town: Town) -> None:
    sent()
    town.untrue = "the order was cancelled"
    resend("--order", 7, "--override", reason="the cancellation was ours")
    assert Delivery.objects.get().override == "mira: the cancellation was ours"
    tell(message())
    assert Delivery.objects.get().state == "sent"
    assert len(mails()) == 2


def test_an_override_holds_for_its_generation_alone(town: Town) -> None:
    sent()
    town.untrue = "the order was cancelled"
    resend("--order", 7, "--override")
    tell(message())
    town.untrue = None
    resend("--order", 7, "--new")
    town.untrue = "the order was cancelled"
    tell(message())
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.override) == ("skipped", "")
    assert delivery.reason == "no_longer_true: the order was cancelled"


def test_what_becomes_untrue_on_the_way_is_not_sent(town: Town) -> None:
    sent()
    resend("--order", 7)
    town.untrue = "the order was cancelled"
    tell(message())
    assert Delivery.objects.get().state == "skipped"
    assert len(mails()) == 1


def test_what_has_expired_is_refused_unless_it_is_overridden() -> None:
    sent()
    aged = timezone.now() - timedelta(days=10)
    Event.objects.update(time=aged)
    resend("--order", 7)
    assert items() == [("refused", "expired")]
    resend("--order", 7, "--override")
    tell(message())
    assert len(mails()) == 2


def test_nobody_overrides_what_a_person_has_said(town: Town) -> None:
    sent()
    town.people = [replace(ANN, opted_out=True)]
    resend("--order", 7, "--override")
    town.people = [replace(ANN, address="")]
    resend("--order", 7, "--override")
    town.people = [ANN]
    Delivery.objects.update(state="complained")
    resend("--order", 7, "--override")
    assert [why.partition(":")[0] for _, why in items()] == [
        "opted_out",
        "no_address",
        "complained",
    ]
    assert not Dispatch.objects.exists()


def test_an_override_does_not_outlive_an_opt_out(town: Town) -> None:
    sent()
    resend("--order", 7, "--override")
    town.people = [replace(ANN, opted_out=True)]
    tell(message())
    assert Delivery.objects.get().reason == "opted_out"
    assert len(mails()) == 1


@pytest.mark.parametrize("state", ["pending", "sending", "retrying"])
def test_what_is_under_way_is_left_alone_with_the_reason(state: str) -> None:
    sent()
    soon = timezone.now() + timedelta(minutes=5)
    Delivery.objects.update(state=state, lease_until=soon, next_try_at=soon)
    printed = resend("--order", 7)
    [(outcome, why)] = items()
    assert outcome == "left_alone"
    assert why.startswith("it is under way")
    assert why in printed
    assert Delivery.objects.get().state == state
    assert not Dispatch.objects.exists()


def test_one_that_stays_unknown_may_be_sent_again_and_its_late_sender_changes_nothing() -> None:
    sent()
    Delivery.objects.update(state="unknown", next_try_at=None)
    resend("--order", 7)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.generation, delivery.token) == ("pending", 1, None)


def test_receipts_of_the_generation_before_disturb_nothing() -> None:
    sent()
    resend("--order", 7)
    for kind in ("bounced", "delivered"):
        delivery = Delivery.objects.get()
        word = Word(
            *(delivery.pk, 0, 1, "ses", "m-1", kind, "", ""),
            occurred_at=timezone.now(),
        )
        settlement = Delivery.objects.settle_by_receipt(word)
        assert settlement is not None
        assert settlement.moved_to == ""
    assert Delivery.objects.get().state == "pending"
    tell(message())
    assert Delivery.objects.get().state == "sent"


def test_only_the_one_that_was_meant_is_sent_again(town: Town) -> None:
    town.people = [ANN, BEN]
    sent()
    resend("--delivery", Delivery.objects.get(recipient=BEN.reference).pk)
    tell(message())
    assert [each.address for each in MemoryChannel.outbox("email")] == [
        ANN.address,
        BEN.address,
        BEN.address,
    ]


def test_only_who_was_told_in_those_words_is_told_again(town: Town) -> None:
    town.people = [ANN, BEN]
    sent()
    Delivery.objects.filter(recipient=BEN.reference).update(template_version="v4#17+9c02aa")
    resend("--template-version", "v4#1", "v4#17", "--state", "sent", "delivered")
    assert Delivery.objects.get(generation=1).recipient == BEN.reference


def test_whoever_is_named_no_longer_is_refused_or_skipped_on_the_way(town: Town) -> None:
    town.people = [ANN, BEN]
    sent()
    of_ben = Delivery.objects.get(recipient=BEN.reference)
    resend("--delivery", of_ben.pk)
    town.people = [ANN]
    tell(message())
    of_ben.refresh_from_db()
    assert (of_ben.state, of_ben.reason) == ("skipped", "no_longer_named")
    resend("--delivery", of_ben.pk, "--new")
    assert items()[-1][1].startswith("no_longer_named: the shop does not name customer/2")


def test_a_message_that_fails_before_its_delivery_leaves_none_pending(town: Town) -> None:
    event = sent()
    resend("--order", 7)
    Handled.objects.mark_failed(
        "email", replace(event, generation=1), PermanentError("no such order", "no_such_order")
    )
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("failed", "given_up")
    assert "no_such_order" in delivery.last_error


def test_a_hook_that_fails_refuses_one_item_and_no_other(town: Town) -> None:
    sent()
    sent()
    asked = iter([ZeroDivisionError("bug"), None])

    def people() -> Any:
        error = next(asked)
        if error:
            raise error
        return iter([ANN])

    class People:
        def __iter__(self) -> Any:
            return people()

    town.people = People()  # type: ignore[assignment]
    resend("--order", 7)
    assert items() == [
        ("refused", "the shop could not be asked: ZeroDivisionError"),
        ("dispatched", ""),
    ]


def test_what_is_too_old_for_the_inbox_is_refused() -> None:
    sent(age=TOO_OLD)
    resend("--order", 7, "--override")
    [(outcome, why)] = items()
    assert outcome == "refused"
    assert "too old" in why


def test_an_event_that_is_kept_no_longer_is_refused() -> None:
    tell(letter())
    resend("--order", 7)
    assert items() == [("refused", "its event is kept no longer")]


def test_an_open_job_of_the_same_filter_is_offered() -> None:
    sent()
    job = begun()
    with pytest.raises(CommandError, match=f"go on with --job {job.pk}"):
        resend("--order", 7)
    assert "1 dispatched" in resend("--job", job.pk, reason="")
    assert Job.objects.get().state == "done"


def begun(**given: Any) -> Job:
    return jobs.begin(
        Resend(), {"subject": ["order/7"]}, by="mira", reason="why", rate=1000.0, **given
    )


def test_a_job_never_sends_one_delivery_twice() -> None:
    for _ in range(3):
        sent()
    job = begun()
    stopped_after_two = iter([False, False, True])
    halted = jobs.run(Resend(), job.pk, stopping=lambda: next(stopped_after_two))
    assert halted.state == "stopped"
    done = JobItem.objects.filter(outcome=Outcome.DISPATCHED).count()
    assert 0 < done <= 3
    for dispatch in Dispatch.objects.all():
        assert dispatch.event is not None
        tell(dispatch.event.envelope(generation=dispatch.generation))
    resend("--job", job.pk, reason="")
    assert Dispatch.objects.count() == 3
    assert JobItem.objects.count() == 3
    assert set(Delivery.objects.values_list("generation", flat=True)) == {1}
    with pytest.raises(CommandError, match="is done"):
        resend("--job", job.pk, reason="")


def test_a_job_is_about_what_there_was_when_it_began() -> None:
    sent()
    job = begun()
    later = sent()
    resend("--job", job.pk, reason="")
    assert Delivery.objects.get(event_id=later.id).state == "sent"
    assert Dispatch.objects.count() == 1


def test_jobs_are_listed_shown_stopped_and_cancelled() -> None:
    sent()
    job = begun()

    def said(*arguments: object) -> str:
        out = StringIO()
        call_command("jobs", *map(str, arguments), stdout=out)
        return out.getvalue()

    assert f"{job.pk}  resend   running" in said()
    [row] = json.loads(said("list", "--json"))["jobs"]
    assert (row["state"], row["total"], row["reason"]) == ("running", 1, "why")
    assert "would be stopped" in said("stop", job.pk, "--reason", "lunch", "--dry-run")
    assert f"job {job.pk} is stopped" in said("stop", job.pk, "--reason", "lunch", "--by", "ada")
    shown = json.loads(said("show", job.pk, "--json"))
    assert [entry["text"] for entry in shown["log"]][-1] == "stopped: lunch"
    assert shown["items"][0]["outcome"] == "waiting"
    assert "stopped: lunch (ada)" in said("show", job.pk)
    said("cancel", job.pk, "--reason", "a mistake")
    for verb in (["stop", job.pk], ["resume", job.pk], ["set-rate", job.pk, 5]):
        for dry in ((), ("--dry-run",)):
            with pytest.raises(CommandError, match="cancelled"):
                said(*verb, "--reason", "x", *dry)
    with pytest.raises(CommandError, match="cancelled"):
        resend("--job", job.pk, reason="")
    with pytest.raises(CommandError, match="There is no job"):
        said("show", job.pk + 1)
    assert not Dispatch.objects.exists()


def test_a_job_that_is_cancelled_elsewhere_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    sent()
    job = begun()

    def cancelled(work: Any, job_id: int, **_: Any) -> Job:
        return jobs.halt(job_id, by="ada", cancel=True)

    monkeypatch.setattr(jobs, "run", cancelled)
    with pytest.raises(SystemExit) as ended:
        resend("--job", job.pk, reason="")
    assert ended.value.code == 3


def test_jobs_say_when_in_the_time_zone_of_the_shop() -> None:
    sent()
    job = Job.objects.get(pk=begun().pk)
    out = StringIO()
    with timezone.override("Asia/Tokyo"):
        call_command("jobs", "show", str(job.pk), stdout=out)
        for when in (job.created_at, job.log.get().at):
            assert f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S}" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--channel", "email", "--reason", "x"], "Say which"),
        (["--reason", "x"], "Say which"),
        (["--order", "7"], "Say why"),
        (["--order", "7", "--reason", " "], "give 1 to 255 characters"),
        (["--delivery", "no-id", "--reason", "x"], "is no id"),
        (["--state", "lost", "--reason", "x"], "invalid choice"),
        (["--order", "7", "--since", "yesterday", "--reason", "x"], "is no time"),
        (["--order", "7", "--rate", "0", "--reason", "x"], "is no rate"),
        (["--job", "12345"], "There is no job"),
        (["--job", "1", "--order", "7"], "A job has its filter"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refusal:
        call_command("resend", *arguments)
    assert "\n" not in str(refusal.value)


def test_a_delivery_that_is_not_there_makes_a_job_of_nothing() -> None:
    assert "done: nothing" in resend("--delivery", uuid4())
