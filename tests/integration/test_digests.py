"""Of several events somebody is told in one message, each event once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.utils import timezone

from notifications import consumers, digests, progress, resend, retention, suppressions
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import Digest, QuietHours, Route
from notifications.deliveries import deliver
from notifications.delivery_discards import discard
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, TransientError
from notifications.identifiers import uuid7
from notifications.models import (
    Attempt,
    Delivery,
    DigestItem,
    DigestWindow,
    Dispatch,
    Event,
    Handled,
    Job,
)
from notifications.timeline import timeline
from orders_site import settings as shop
from tests.integration.letters import ANN, BEN, POLICY, Town, letter
from tests.integration.operator_rows import operator, page_url
from tests.integration.together import all_at_once

pytestmark = pytest.mark.django_db

State = Delivery.State
HOURLY = Digest("orders.hourly", window=timedelta(hours=1), most=5)


@pytest.fixture(autouse=True)
def told_by_the_hour(town: Town, settings: Any, tmp_path: Path) -> None:
    """Over email; over sms, each by itself."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ROUTES": {"order.created": [Route("email", digest=HOURLY), Route("sms")]},
    }
    folder = tmp_path / "notifications" / HOURLY.name
    folder.mkdir(parents=True)
    (folder / "email.subject.txt").write_text("{{ count }} orders")
    (folder / "email.txt").write_text(
        "{% for item in items %}Order {{ item.data.order_id }}\n{% endfor %}"
    )


def happened(number: int, **given: Any) -> Envelope:
    """An event that is on record."""
    envelope = replace(letter(**given), subject=f"order/{number}", data={"order_id": number})
    Event.objects.keep(envelope)
    return envelope


def tell(envelope: Envelope, channel: str = "email") -> None:
    deliver(envelope, channel=channel, policy=POLICY, queue=channel)


def collect(*numbers: int) -> list[Envelope]:
    envelopes = [happened(number) for number in numbers]
    for envelope in envelopes:
        tell(envelope)
    return envelopes


def due(window: DigestWindow | None = None) -> Envelope:
    """What the dispatch of a digest brings to the queue when it is due."""
    window = window or DigestWindow.objects.latest("opened_at")
    return Event.objects.get(pk=window.pk).envelope()


def texts() -> list[str]:
    return [message.content.text for message in MemoryChannel.outbox("email")]


def of(envelope: Envelope) -> Delivery:
    return Delivery.objects.get(event_id=envelope.id, channel="email")


def test_what_is_collected_waits_and_one_dispatch_brings_the_digest() -> None:
    first, second = collect(1, 2)

    window = DigestWindow.objects.get()
    dispatch = Dispatch.objects.get()
    assert texts() == []
    for envelope in (first, second):
        waiting = of(envelope)
        assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "digest", 0)
        assert waiting.next_try_at == window.due_at
    assert (dispatch.reason, dispatch.kind, dispatch.destination) == ("digest", "queue", "email")
    assert dispatch.available_at == window.due_at
    assert dispatch.event_id == window.pk
    assert abs(window.due_at - timezone.now() - HOURLY.window) < timedelta(minutes=1)


def test_each_is_told_once_and_all_in_one_message() -> None:
    items = collect(1, 2, 3)

    tell(due())
    tell(due())
    for envelope in items:
        tell(envelope)

    assert texts() == ["Order 1\nOrder 2\nOrder 3"]
    assert MemoryChannel.outbox("email")[0].content.subject == "3 orders"
    assert {(each.state, each.reason) for each in map(of, items)} == {("sent", "in_digest")}
    assert of(due()).state == State.SENT
    assert DigestWindow.objects.get().settled_at
    assert Attempt.objects.count() == 1


def test_where_nobody_tells_it_together_it_is_told_by_itself() -> None:
    tell(happened(1), channel="sms")

    assert len(MemoryChannel.outbox("sms")) == 1
    assert not DigestWindow.objects.exists()


def test_each_recipient_has_a_digest_of_their_own(town: Town) -> None:
    town.people = [ANN, BEN]
    collect(1, 2)

    for window in DigestWindow.objects.all():
        tell(due(window))

    told = {message.address: message.content.text for message in MemoryChannel.outbox("email")}
    assert told == dict.fromkeys((ANN.address, BEN.address), "Order 1\nOrder 2")


def test_a_message_that_comes_again_is_not_collected_twice() -> None:
    envelope = happened(1)
    for _ in range(3):
        tell(envelope)
    Delivery.objects.update(next_try_at=Now() - timedelta(minutes=1))  # due, and not told yet

    tell(envelope)

    assert DigestItem.objects.count() == DigestWindow.objects.get().items == 1
    assert Dispatch.objects.count() == 1


def test_what_comes_while_a_digest_is_being_told_is_in_the_next(town: Town) -> None:
    collect(1)
    first = due()

    def send(message: Message) -> Accepted:
        town.on_send = None
        collect(2)
        return MemoryChannel("email").send(message)

    town.on_send = send
    tell(first)
    tell(due())

    assert texts() == ["Order 1", "Order 2"]
    assert DigestWindow.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_due", [False, True])
def test_of_many_at_once_each_is_in_one_digest_and_told_once(is_due: bool) -> None:
    """Some find the first digest full, due, or being told: they are in another."""
    envelopes = [happened(number) for number in range(1, 13)]
    collect(99)
    if is_due:
        DigestWindow.objects.update(due_at=Now() - timedelta(seconds=1))

    works = [partial(tell, envelope) for envelope in envelopes]
    all_at_once([*works, partial(tell, due())])
    for window in DigestWindow.objects.all():
        tell(due(window))

    told = [line for text in texts() for line in text.splitlines()]
    assert sorted(told) == sorted(f"Order {number}" for number in (99, *range(1, 13)))
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.SENT}


def test_one_that_is_full_is_due_at_once() -> None:
    collect(*range(HOURLY.most + 1))

    full, open_one = DigestWindow.objects.order_by("opened_at")
    assert (full.items, open_one.items) == (HOURLY.most, 1)
    assert full.closed_at
    assert not open_one.closed_at
    due_now = Dispatch.objects.filter(available_at__lte=Now())
    assert [dispatch.event_id for dispatch in due_now] == [full.pk]


@pytest.mark.parametrize(
    ("digest", "hours"),
    [(Digest("d", window=timedelta(hours=5)), 5), (Digest("d", at="08:00"), 23)],
)
def test_it_is_due_after_its_window_or_at_its_time_where_the_recipient_lives(
    digest: Digest, hours: int
) -> None:
    now = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)  # nine in the morning in Tokyo
    tokyo = replace(ANN, time_zone="Asia/Tokyo")
    assert digests.due_at(digest, tokyo, now) == now + timedelta(hours=hours)


def test_what_is_no_longer_true_is_left_out_and_says_so(town: Town) -> None:
    first, second = collect(1, 2)
    town.untrue_of = {"order/1": "the order was cancelled"}

    tell(due())

    assert texts() == ["Order 2"]
    assert of(first).state == State.SKIPPED
    assert of(first).reason == "left_out: no_longer_true: the order was cancelled"
    assert of(second).state == State.SENT


def test_what_is_not_worth_it_any_more_or_not_for_them_is_left_out(town: Town) -> None:
    old, other, fresh = happened(1, age=timedelta(days=4)), happened(2), happened(3)
    for envelope in (old, other, fresh):
        tell(envelope)
    town.nobody_of = {"order/2"}

    tell(due())

    assert texts() == ["Order 3"]
    assert of(old).reason == "left_out: expired"
    assert of(other).reason == "left_out: no_longer_named"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"opted_out": True}, "opted_out"),
        ({"address": ""}, "no_address"),
    ],
)
def test_a_digest_of_which_nothing_is_left_is_not_sent(
    town: Town, change: dict[str, Any], reason: str
) -> None:
    items = collect(1, 2)
    town.people = [replace(ANN, **change)]

    tell(due())

    assert texts() == []
    assert (of(due()).state, of(due()).reason) == (State.SKIPPED, reason)
    assert {each.reason for each in map(of, items)} == {f"left_out: {reason}"}


def test_where_all_is_left_out_for_different_reasons_there_is_nothing_left(town: Town) -> None:
    tell(happened(1, age=timedelta(days=4)))
    collect(2)
    town.nobody_of = {"order/2"}

    tell(due())

    assert (of(due()).state, of(due()).reason) == (State.SKIPPED, "nothing_left")


def test_who_opts_out_before_is_skipped_at_once_and_not_collected(town: Town) -> None:
    town.people = [replace(ANN, opted_out=True)]
    (envelope,) = collect(1)

    assert (of(envelope).state, of(envelope).reason) == (State.SKIPPED, "opted_out")
    assert not DigestWindow.objects.exists()


def test_whose_address_is_suppressed_before_it_is_due_is_told_nothing() -> None:
    (item,) = collect(1)
    suppressions.suppress(channel="email", address=ANN.address, reason="complaint")

    tell(due())
    (late,) = collect(2)

    assert texts() == []
    assert of(item).reason == "left_out: suppressed: complaint"
    assert of(late).reason == "suppressed: complaint"


def test_an_item_of_which_the_shop_knows_nothing_more_costs_the_others_nothing(
    town: Town,
) -> None:
    first, _ = collect(1, 2)
    refused = [PermanentError("there is no order/1 here", "no_such_order")]

    def words() -> dict[str, Any]:
        if refused:
            raise refused.pop()
        return {}

    town.words = words
    tell(due())

    assert texts() == ["Order 2"]
    assert of(first).reason == "left_out: no_such_order"


def test_one_that_fails_for_now_is_tried_again_with_what_it_held(town: Town) -> None:
    items = collect(1, 2)
    MemoryChannel.script("email", "throttle", times=1)

    with pytest.raises(TransientError):
        tell(due())
    assert {each.state for each in map(of, items)} == {State.PENDING}
    Delivery.objects.filter(event_type=HOURLY.name).update(next_try_at=Now())
    tell(due())

    assert texts() == ["Order 1\nOrder 2"]
    assert {each.state for each in map(of, items)} == {State.SENT}


def test_one_that_failed_for_good_is_told_when_it_is_resent() -> None:
    items = collect(1, 2)
    MemoryChannel.script("email", "refuse", code="no_such_user", times=1)
    with pytest.raises(PermanentError):
        tell(due())
    assert {(each.state, each.reason) for each in map(of, items)} == {("failed", "digest_failed")}

    failed = of(due())
    assert resend.why_not(due(), failed, override=False) == ""
    Delivery.objects.filter(pk=failed.pk).reopen(generation=1)
    tell(replace(due(), generation=1))

    assert texts() == ["Order 1\nOrder 2"]
    assert {(each.state, each.reason) for each in map(of, items)} == {("sent", "in_digest")}


def test_a_resend_leaves_out_what_is_not_true_any_more_unless_the_operator_insists(
    town: Town,
) -> None:
    first, _ = collect(1, 2)
    tell(due())
    town.untrue_of = {"order/1": "the order was cancelled"}
    told = of(due())

    Delivery.objects.filter(pk=told.pk).reopen(generation=1)
    tell(replace(due(), generation=1))
    Delivery.objects.filter(pk=told.pk).reopen(generation=2, override="ada: they want it")
    tell(replace(due(), generation=2))

    assert texts() == ["Order 1\nOrder 2", "Order 2", "Order 1\nOrder 2"]
    assert of(first).state == State.SENT


def test_the_original_is_not_resent_when_other_items_would_be_told_now(town: Town) -> None:
    collect(1, 2)
    tell(due())
    job = Job(kind=Job.Kind.RESEND, filter={"text": "original"}, actor="ada", reason="asked")
    assert resend.Resend().weigh(of(due()), job).outcome == "dispatched"

    town.untrue_of = {"order/1": "the order was cancelled"}

    verdict = resend.Resend().weigh(of(due()), job)
    assert verdict.outcome == "refused"
    assert verdict.why == "other items would be told now: resend it as it is rendered now"


def test_a_resend_of_which_nothing_would_be_left_is_refused(town: Town) -> None:
    collect(1)
    tell(due())
    town.untrue_of = {"order/1": "the order was cancelled"}

    why = resend.why_not(due(), of(due()), override=False)

    assert why == "no_longer_true: the order was cancelled"
    assert resend.why_not(due(), of(due()), override=True) == ""


def test_an_item_that_is_resent_by_itself_is_collected_once_more() -> None:
    first, _ = collect(1, 2)
    tell(due())

    Delivery.objects.filter(pk=of(first).pk).reopen(generation=1)
    tell(replace(first, generation=1))
    tell(due())

    assert texts() == ["Order 1\nOrder 2", "Order 1"]


def test_what_a_receipt_settled_settles_what_was_told_with_it(town: Town) -> None:
    (item,) = collect(1)
    MemoryChannel.script("email", "hang_up", times=1)
    with pytest.raises(TransientError):
        tell(due())
    assert of(item).state == State.PENDING

    Delivery.objects.filter(event_type=HOURLY.name).settle_by_operator(State.SENT, note="found")
    assert digests.settle_all() == 1

    assert (of(item).state, of(item).reason) == ("sent", "in_digest")
    assert digests.settle_all() == 0


def test_who_was_forgotten_meanwhile_is_told_nothing(settings: Any) -> None:
    first, second = collect(1, 2)
    Delivery.objects.erase(of(first), proof="", reason="forgotten")

    tell(due())

    assert texts() == ["Order 2"]
    assert (of(first).state, of(first).reason) == (State.DISCARDED, "forgotten")
    assert of(second).state == State.SENT


def test_what_was_told_in_it_counts_once_towards_the_recipients_limit(settings: Any) -> None:
    channels = settings.NOTIFICATIONS["CHANNELS"]
    limited = {**channels, "email": replace(channels["email"], recipient_limit="2/h")}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": limited}
    collect(1, 2, 3)
    tell(due())

    collect(4)
    tell(due())

    assert texts() == ["Order 1\nOrder 2\nOrder 3", "Order 4"]


def test_at_night_the_digest_waits_and_goes_on_collecting(settings: Any) -> None:
    now = datetime.now(UTC)
    hours = QuietHours(f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=2):%H:%M}")
    settings.TIME_ZONE = "UTC"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {"email": hours}}
    collect(1)
    tell(due())
    collect(2)
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {}}
    Delivery.objects.update(next_try_at=Now() - timedelta(minutes=1))

    tell(due())

    assert texts() == ["Order 1\nOrder 2"]


def test_one_that_would_be_due_at_night_is_due_in_the_morning(settings: Any) -> None:
    now = datetime.now(UTC)
    hours = QuietHours(f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=9):%H:%M}", 0)
    settings.TIME_ZONE = "UTC"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {"email": hours}}

    collect(1)

    due_at = DigestWindow.objects.get().due_at
    assert f"{due_at:%H:%M}" == hours.end
    assert Dispatch.objects.get().available_at == due_at


def test_who_looks_sees_that_it_waits_for_its_digest_and_was_told_in_it() -> None:
    (item,) = collect(1)
    Event.objects.filter(pk=item.id).update(expected=["email"])

    waits = timeline(item.subject)
    tell(due())
    told = timeline(item.subject)

    until = f"{timezone.localtime(DigestWindow.objects.get().due_at):%Y-%m-%d %H:%M}"
    said = f"0 of 1; email is under way (waits until {until}: its digest)"
    assert waits.completeness.words(waits.at) == said
    assert told.completeness.words(told.at) == "1 of 1"


def test_a_consumer_is_not_late_with_what_waits_for_its_digest() -> None:
    (item,) = collect(1)
    Event.objects.filter(pk=item.id).update(expected=["email"])

    found = progress.oldest([consumers.get("email")], go_on=lambda: True)["email"]

    assert found.at is None


def test_an_item_that_is_discarded_is_left_out_and_a_discarded_digest_takes_its_items() -> None:
    first, second = collect(1, 2)
    discard([of(first).pk], by="mira", reason="a test order")
    waiting = due()
    Delivery.objects.create(  # it waits for the end of the night, and goes on collecting
        event_id=waiting.id,
        event_type=waiting.type,
        event_time=waiting.time,
        subject=waiting.subject,
        channel="email",
        route="customer",
        recipient=of(second).recipient,
    )

    discard([of(waiting).pk], by="mira", reason="nobody is to be told")
    digests.settle_all()

    assert of(first).reason == "discarded_by_operator"
    assert (of(second).state, of(second).reason) == (State.DISCARDED, "digest_failed")
    tell(waiting)
    assert texts() == []


def test_what_is_over_is_deleted_with_what_was_told_in_it(settings: Any) -> None:
    collect(1, 2)
    tell(due())
    ages_ago = Now() - timedelta(days=400)
    Delivery.objects.update(created_at=ages_ago, updated_at=ages_ago)
    DigestWindow.objects.update(settled_at=ages_ago)
    Dispatch.objects.all().delete()
    Event.objects.all().delete()

    retention.sweep()

    assert not Delivery.objects.exists()
    assert not DigestItem.objects.exists()
    assert not DigestWindow.objects.exists()


def test_an_open_one_is_kept() -> None:
    collect(1)

    retention.sweep()

    assert DigestItem.objects.count() == DigestWindow.objects.count() == 1


def test_a_worker_that_died_before_its_items_followed_costs_nothing() -> None:
    (item,) = collect(1)
    tell(due())
    DigestWindow.objects.update(settled_at=None)
    Delivery.objects.filter(pk=of(item).pk).update(state="pending", reason="digest")

    tell(due())

    assert (of(item).state, of(item).reason) == ("sent", "in_digest")
    assert len(texts()) == 1


def test_the_pages_of_an_item_and_of_its_digest_lead_to_each_other(settings: Any) -> None:
    (item,) = collect(1)
    tell(due())
    settings.TEMPLATES = shop.TEMPLATES
    client = operator(Delivery)

    of_item = client.get(page_url(of(item))).content.decode()
    of_digest = client.get(page_url(of(due()))).content.decode()

    assert "The digest that tells it" in of_item
    assert page_url(of(due())) in of_item
    assert "What is told in this digest" in of_digest
    assert page_url(of(item)) in of_digest


def test_its_message_says_nothing_to_another_channel_and_none_of_what_nobody_knows() -> None:
    collect(1)

    tell(due(), channel="sms")
    tell(replace(due(), id=uuid7()))

    assert MemoryChannel.outbox("sms") == texts() == []
    assert Handled.objects.filter(consumer="email", outcome="done").count() == 1


def test_what_comes_when_one_is_due_but_not_told_yet_is_in_the_next() -> None:
    (first,) = collect(1)
    window = DigestWindow.objects.get()
    past = timezone.now() - timedelta(seconds=1)
    DigestWindow.objects.update(due_at=past)
    Delivery.objects.update(next_try_at=past)

    tell(first)  # once more
    (second,) = collect(2)
    assert texts() == []
    tell(due(window))
    tell(due())

    assert texts() == ["Order 1", "Order 2"]
    assert of(first).reason == of(second).reason == "in_digest"


@pytest.mark.parametrize("was_begun", [False, True])
def test_one_whose_message_is_lost_is_replayed_when_it_is_due_and_told_once(
    was_begun: bool, town: Town
) -> None:
    """With its queue, which was purged. Nothing else would ever bring its items on."""
    items = collect(1, 2)
    if was_begun:
        MemoryChannel.script("email", "server_error", times=1)
        with pytest.raises(TransientError):
            tell(due())
    Dispatch.objects.all().delete()
    assert replayed() == [], "it is not due yet"
    past = timezone.now() - timedelta(hours=2)
    DigestWindow.objects.update(due_at=past)
    Event.objects.update(recorded_at=past)  # so --since does not mean it
    Delivery.objects.update(next_try_at=past)

    [again] = replayed()
    tell(again)
    assert texts() == ["Order 1\nOrder 2"]
    assert {(each.state, each.reason) for each in map(of, items)} == {("sent", "in_digest")}
    assert replayed() == []


def replayed() -> list[Envelope]:
    """What `replay --messages-lost` of the last hour puts on the queue."""
    Job.objects.update(state="cancelled")
    words = ("--since", "1h", "--messages-lost", "--by", "mira", "--reason", "the queue is lost")
    call_command("replay", "email", *words, stdout=StringIO())
    ordered = Dispatch.objects.filter(reason="replayed", state="waiting").select_related("event")
    found = [each.event.envelope(generation=each.generation) for each in ordered if each.event]
    ordered.delete()
    return [each for each in found if each.type == HOURLY.name]
