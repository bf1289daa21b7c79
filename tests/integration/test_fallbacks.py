"""A fallback from channel to channel: who is told by which of them, when, and only once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from notifications import fallback_steps, fallbacks, unknowns
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import ChannelConf, Fallback, Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope, write
from notifications.exceptions import Busy, NotificationError
from notifications.identifiers import uuid7
from notifications.models import Attempt, DeadLetter, Delivery, Dispatch, Event, Job
from notifications.receipts import Told, envelope_of, take
from notifications.recipients import Recipient
from notifications.redrive import Redrive
from notifications.timeline import timeline
from notifications.work import Outcome
from tests.integration.letters import ANN, BEN, POLICY, Postman, Town, come_due, letter, tell

pytestmark = pytest.mark.django_db

State = Delivery.State
STEPS = ("push", "sms", "email")
ALL = timedelta(minutes=30)
SHARE = timedelta(minutes=10)
POSTMAN = f"{Postman.__module__}.{Postman.__name__}"


@pytest.fixture(autouse=True)
def rule(town: Town, settings: Any, tmp_path: Path) -> Callable[..., None]:
    """The town's order.created, told by the first of push, sms and email; `rule(confirmed=…)`."""
    folder = tmp_path / "notifications" / "order.created"
    (folder / "push.title.txt").write_text("Order {{ data.order_id }}")
    (folder / "push.txt").write_text("Order {{ data.order_id }} is in.")
    of_the_town = settings.NOTIFICATIONS

    def rule(*others: Route, **words: Any) -> None:
        settings.NOTIFICATIONS = {
            **of_the_town,
            "CHANNELS": {name: ChannelConf(POSTMAN, {"channel": name}) for name in STEPS},
            "ROUTES": {"order.created": [Fallback(STEPS, within=ALL, **words), *others]},
        }

    rule()
    return rule


@dataclass
class Order:
    """One event, recorded with its steps, and the time that has passed since."""

    envelope: Envelope

    def tell(self, channel: str) -> None:
        """A message of it comes to the channel's worker. What fails, fails."""
        with suppress(NotificationError):
            tell(self.envelope, channel)

    def wait(self, span: timedelta = SHARE) -> None:
        """So much time goes by."""
        Event.objects.update(recorded_at=F("recorded_at") - span)
        Dispatch.objects.update(available_at=F("available_at") - span)
        self.envelope = replace(self.envelope, time=self.envelope.time - span)


@pytest.fixture
def order() -> Order:
    envelope = letter()
    event = Event.objects.create(
        id=envelope.id,
        type=envelope.type,
        source=envelope.source,
        subject=envelope.subject,
        time=envelope.time,
        data=envelope.data,
        expected=["push"],
    )
    event.refresh_from_db()
    fallback_steps.order_steps(event, using="default")
    Dispatch.objects.create(
        event=event,
        subject=event.subject,
        kind=Dispatch.Kind.TOPIC,
        destination="order-events",
        state=Dispatch.State.PUBLISHED,
        published_at=Now(),
    )
    return Order(envelope)


def due() -> list[str]:
    """The steps whose message goes out now."""
    return sorted(_steps().filter(available_at__lte=Now()).values_list("destination", flat=True))


def ahead() -> list[str]:
    """The steps whose message waits for its time."""
    return sorted(_steps().filter(available_at__gt=Now()).values_list("destination", flat=True))


def _steps() -> Any:
    return Dispatch.objects.filter(reason="fell_back", state=Dispatch.State.WAITING)


def told(channel: str) -> list[str]:
    return [message.address for message in MemoryChannel.outbox(channel)]


def state_of(channel: str) -> tuple[str, str]:
    delivery = Delivery.objects.get(channel=channel)
    return delivery.state, delivery.reason


def complete() -> str:
    found = timeline("order/7")
    return found.completeness.words(found.at)


def receipt(channel: str, kind: str) -> None:
    delivery = Delivery.objects.get(channel=channel)
    said = Told(
        delivery_id=delivery.pk,
        generation=0,
        number=delivery.attempts,
        provider="aws",
        provider_message_id="1",
        kind=kind,  # type: ignore[arg-type]
        code="",
        detail="",
        occurred_at=delivery.created_at,
    )
    take(envelope_of((said,), subject="receipts"))


def test_each_step_after_the_first_is_ordered_with_the_event_for_its_own_time(order: Order) -> None:
    steps = dict(_steps().values_list("destination", "available_at"))
    recorded = Event.objects.get().recorded_at

    assert steps == {"sms": recorded + SHARE, "email": recorded + 2 * SHARE}


def test_who_was_told_by_the_first_channel_is_told_by_no_other(order: Order) -> None:
    order.tell("push")

    assert (due(), ahead()) == ([], []), "called off"
    order.wait()
    order.tell("sms")  # its message was on the way already
    assert [len(told(channel)) for channel in STEPS] == [1, 0, 0]
    assert Delivery.objects.count() == 1


def test_as_soon_as_the_first_has_failed_the_next_is_called_for(order: Order) -> None:
    MemoryChannel.script("push", "refuse", code="UNREGISTERED")

    order.tell("push")
    assert (due(), ahead()) == (["sms"], ["email"])
    order.tell("sms")

    assert (due(), ahead()) == ([], [])
    assert [len(told(channel)) for channel in STEPS] == [0, 1, 0]


def test_so_it_is_when_the_first_is_skipped(order: Order, town: Town) -> None:
    town.people = [replace(ANN, opted_out=True)]

    for channel in STEPS:
        order.tell(channel)

    assert {state_of(channel) for channel in STEPS} == {(State.SKIPPED, "opted_out")}
    assert due() == ["email", "sms"], "each was called for by the one before it"


def test_a_message_that_comes_too_early_tells_nobody_and_the_step_comes_in_its_time(
    order: Order,
) -> None:
    order.tell("sms")
    assert not told("sms")
    assert ahead() == ["email", "sms"]

    order.wait()
    order.tell("sms")
    assert len(told("sms")) == 1


def test_a_first_channel_that_stood_still_tells_nobody_twice_when_it_goes_on(order: Order) -> None:
    order.wait()
    assert due() == ["sms"]
    order.tell("sms")
    order.tell("push")

    assert len(told("sms")) == 1
    assert not told("push")
    assert state_of("push") == (State.SKIPPED, fallbacks.TOLD_ALREADY)


def test_so_it_is_when_the_first_was_to_be_tried_again(order: Order) -> None:
    MemoryChannel.script("push", "server_error", times=1)
    order.tell("push")
    assert ahead() == ["email", "sms"], "it may come through yet"

    order.wait()
    order.tell("sms")
    come_due()
    order.tell("push")

    assert state_of("push") == (State.SKIPPED, fallbacks.TOLD_ALREADY)
    assert [len(told(channel)) for channel in STEPS] == [0, 1, 0]


def test_a_later_step_that_was_to_be_tried_again_is_skipped_when_an_earlier_came_through(
    order: Order,
) -> None:
    MemoryChannel.script("sms", "server_error", times=1)
    order.wait()
    order.tell("sms")
    MemoryChannel.script("push", "accept")
    order.tell("push")
    come_due()
    order.tell("sms")

    assert state_of("sms") == (State.SKIPPED, fallbacks.TOLD_ALREADY)
    assert [len(told(channel)) for channel in STEPS] == [1, 0, 0]


def test_a_step_waits_for_the_one_before_it_that_is_just_being_sent(
    order: Order, town: Town
) -> None:
    order.wait()
    met: list[Busy] = []

    def meanwhile(message: Message) -> Accepted:
        town.on_send = None
        with pytest.raises(Busy) as busy:
            tell(order.envelope, "sms")
        met.append(busy.value)
        return Accepted("1")

    town.on_send = meanwhile
    order.tell("push")
    order.tell("sms")

    assert met[0].code == "earlier_step"
    assert state_of("push") == (State.SENT, "")
    assert not told("sms")


def test_of_two_people_only_the_one_who_was_not_reached_is_told_by_the_next(
    order: Order, town: Town
) -> None:
    town.people = [ANN, BEN]
    MemoryChannel.script("push", "refuse", code="UNREGISTERED", address=BEN.address)

    order.tell("push")
    assert due() == ["sms"]
    order.tell("sms")

    assert told("push") == [ANN.address]
    assert told("sms") == [BEN.address]
    assert (due(), ahead()) == ([], []), "both know"


def test_of_two_people_the_others_time_is_kept_when_one_was_not_reached(
    order: Order, town: Town
) -> None:
    town.people = [ANN, BEN]
    MemoryChannel.script("push", "refuse", code="UNREGISTERED", address=BEN.address)
    MemoryChannel.script("push", "server_error", address=ANN.address)

    order.tell("push")

    assert due() == ["sms"]
    assert ahead() == ["email", "sms"]
    order.tell("sms")
    assert told("sms") == [BEN.address]
    order.wait()
    order.tell("sms")
    assert told("sms") == [BEN.address, ANN.address]


def test_who_has_two_devices_is_told_when_one_of_them_is(order: Order, town: Town) -> None:
    devices = [
        Recipient(f"customer/1/device/{number}", f"token-{number}", person="customer/1")
        for number in (1, 2)
    ]
    town.people = devices
    MemoryChannel.script("push", "refuse", code="UNREGISTERED", address="token-1")

    order.tell("push")
    assert (due(), ahead()) == ([], [])

    town.people = [ANN]
    order.wait()
    order.tell("sms")
    assert not told("sms")


def test_an_unknown_outcome_leaves_the_next_step_its_time(order: Order) -> None:
    MemoryChannel.script("push", "hang")

    order.tell("push")

    assert state_of("push")[0] == State.UNKNOWN
    assert (due(), ahead()) == ([], ["email", "sms"])


def test_an_operator_who_finds_that_it_was_not_sent_calls_the_next(order: Order) -> None:
    MemoryChannel.script("push", "hang")
    order.tell("push")

    unknowns.settle([Delivery.objects.get().pk], State.FAILED, by="ada", reason="not there")

    assert due() == ["sms"]
    order.tell("sms")
    assert len(told("sms")) == 1


def test_what_bounces_is_followed_by_the_next_although_it_was_called_off(order: Order) -> None:
    order.tell("push")
    assert (due(), ahead()) == ([], [])

    receipt("push", "bounced")

    assert (due(), ahead()) == (["sms"], ["email"])
    order.tell("sms")
    assert [len(told(channel)) for channel in STEPS] == [1, 1, 0]


def test_so_is_a_mail_that_its_server_took_and_sent_back_later(order: Order, settings: Any) -> None:
    rule = Fallback(("email", "sms"), within=ALL)
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ROUTES": {"order.created": [rule]}}
    order.tell("email")
    receipt("email", "delivered")
    Dispatch.objects.filter(reason="fell_back").delete()

    receipt("email", "soft_bounced")  # an answer of somebody on holiday is one, too
    assert (state_of("email")[0], due()) == (State.DELIVERED, [])

    receipt("email", "bounced")
    assert (state_of("email")[0], due()) == (State.BOUNCED, ["sms"])
    order.tell("sms")
    assert len(told("sms")) == 1


def test_a_complaint_says_that_it_arrived(order: Order) -> None:
    order.tell("push")
    receipt("push", "complained")

    assert (due(), ahead()) == ([], [])


def test_where_a_receipt_is_waited_for_sent_is_not_told_yet(
    order: Order, rule: Callable[..., None]
) -> None:
    rule(confirmed=("push", "sms"))

    order.tell("push")
    assert ahead() == ["email", "sms"]
    receipt("push", "delivered")

    assert ahead() == []


def test_where_a_receipt_is_waited_for_in_vain_the_next_is_told_in_its_time(
    order: Order, rule: Callable[..., None]
) -> None:
    rule(confirmed=("push", "sms"))

    order.tell("push")
    order.wait()
    order.tell("sms")
    order.wait()
    order.tell("email")

    assert [len(told(channel)) for channel in STEPS] == [1, 1, 1]


def test_when_the_last_has_failed_nothing_is_ahead(order: Order) -> None:
    for channel in STEPS:
        MemoryChannel.script(channel, "refuse", code="no")
        order.tell(channel)

    assert {state_of(channel)[0] for channel in STEPS} == {State.FAILED}
    assert ahead() == []


def test_a_line_of_its_own_is_told_at_once_beside_the_rule(
    order: Order, rule: Callable[..., None]
) -> None:
    rule(Route("sms", "warehouse"))

    order.tell("sms")

    assert [delivery.route for delivery in Delivery.objects.all()] == ["warehouse"]
    order.wait()
    order.tell("sms")
    assert Delivery.objects.filter(state=State.SENT).count() == 2


def test_a_resend_is_sent_whoever_told_them_and_goes_no_further(order: Order) -> None:
    MemoryChannel.script("push", "refuse", code="UNREGISTERED", times=1)
    order.tell("push")
    order.tell("sms")
    Delivery.objects.filter(channel="push").reopen(generation=1)
    Delivery.objects.filter(channel="sms").reopen(generation=1)
    MemoryChannel.script("push", "refuse", code="UNREGISTERED")
    before = Dispatch.objects.count()

    resent = replace(order.envelope, generation=1)
    for channel in ("push", "sms"):
        with suppress(NotificationError):
            tell(resent, channel)

    assert len(told("sms")) == 2
    assert Dispatch.objects.count() == before


def test_a_dead_letter_of_a_step_is_not_redriven_when_another_has_told_them(order: Order) -> None:
    MemoryChannel.script("push", "refuse", code="UNREGISTERED")
    order.tell("push")
    letter = DeadLetter.objects.create(
        queue="push",
        message_id="m",
        body=write(order.envelope).encode(),
        event_id=order.envelope.id,
        reason="permanent",
    )
    assert Redrive().weigh(letter, Job()).outcome is Outcome.DISPATCHED

    order.tell("sms")

    verdict = Redrive().weigh(letter, Job())
    assert verdict.outcome is Outcome.LEFT_ALONE
    assert verdict.why == "another step of its fallback has told them already"


def test_another_publishers_event_has_its_steps_ordered_by_whoever_meets_it_first() -> None:
    foreign = replace(letter(), foreign=True)

    fallback_steps.keep(foreign)
    fallback_steps.keep(foreign)

    assert ahead() == ["email", "sms"]


def test_an_event_whose_steps_nobody_ordered_has_them_from_its_first_try_on() -> None:
    envelope = letter()
    Event.objects.create(
        id=envelope.id, type=envelope.type, subject=envelope.subject, time=envelope.time
    )
    order = Order(envelope)
    MemoryChannel.script("push", "hang")

    order.tell("push")
    order.tell("push")
    assert ahead() == ["sms"]
    MemoryChannel.script("sms", "server_error")
    order.wait()
    order.tell("sms")

    assert ahead() == ["email"]


def test_what_came_from_a_bulk_queue_goes_on_by_a_bulk_queue() -> None:
    MemoryChannel.script("push", "refuse", code="UNREGISTERED")
    envelope = letter()
    Event.objects.create(
        id=envelope.id, type=envelope.type, subject=envelope.subject, time=envelope.time
    )

    with suppress(NotificationError):
        deliver(envelope, channel="push", policy=POLICY, queue="push-bulk")

    assert due() == ["sms-bulk"]


def test_where_the_first_channel_names_nobody_the_next_comes_in_its_time_though_none_was_ordered(
    town: Town,
) -> None:
    envelope = letter()
    Event.objects.create(
        id=envelope.id, type=envelope.type, subject=envelope.subject, time=envelope.time
    )
    town.people = []  # no device
    for channel, following in (("push", "sms-bulk"), ("sms", "email-bulk")):
        deliver(envelope, channel=channel, policy=POLICY, queue=f"{channel}-bulk")
        deliver(envelope, channel=channel, policy=POLICY, queue=f"{channel}-bulk")

        assert ahead() == [following]
        Event.objects.update(recorded_at=F("recorded_at") - SHARE)
        Dispatch.objects.update(state="published", published_at=Now())

    town.people = [ANN]
    deliver(envelope, channel="email", policy=POLICY, queue="email-bulk")

    assert told("email") == [ANN.address]


def test_completeness_expects_a_step_that_is_ahead_and_none_that_was_not_called_for(
    order: Order,
) -> None:
    assert complete().startswith("0 of 3; push has not reported")
    assert "email comes next, unless somebody else has told it before" in complete()

    order.tell("push")

    assert complete() == "1 of 1"


def test_completeness_follows_the_rule_to_its_end(order: Order) -> None:
    for channel in STEPS:
        MemoryChannel.script(channel, "refuse", code="no")
        assert complete() != "3 of 3"
        order.tell(channel)
        _steps().filter(destination=channel).update(state="published", published_at=Now())

    assert complete() == "3 of 3"


def test_a_plain_route_pays_nothing_for_it(rule: Callable[..., None], settings: Any) -> None:
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ROUTES": {"order.created": [Route("email")]},
    }

    with CaptureQueriesContext(connection) as plain:
        tell(letter())
    rule()
    event = letter()
    Event.objects.create(id=event.id, type=event.type, subject=event.subject, time=event.time)
    with CaptureQueriesContext(connection) as first:
        tell(event, "push")

    asked, more = map(without_glances, (plain, first))
    assert not any("notifications_dispatch" in sql for sql in asked)
    assert len(more) == len(asked) + 2, "who knows, and the steps ahead called off"
    assert Attempt.objects.count() == 2


def without_glances(captured: CaptureQueriesContext) -> list[str]:
    """Without what is read again each second, whoever asks (`notifications.glance`)."""
    glanced = ("notifications_template", "notifications_pause", "notifications_restoration")
    said = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in said if not any(table in sql for table in glanced)]


def test_a_rule_that_is_told_again_after_a_crash_orders_nothing_twice(order: Order) -> None:
    MemoryChannel.script("push", "refuse", code="UNREGISTERED")
    task = uuid7()

    for _ in range(2):
        with suppress(NotificationError):
            tell(order.envelope, "push", task_id=task)

    assert due() == ["sms"]
