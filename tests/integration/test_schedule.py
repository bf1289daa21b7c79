"""What is scheduled becomes an event when it is due: once, or never if it is called off before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from pydantic import field_validator

from notifications import events, needs, outbox, restorations, schedule
from notifications.checks.scheduled import check_scheduled
from notifications.events import EventData, event
from notifications.exceptions import EventRefused, OutsideTransaction, UnknownEvent
from notifications.models import AuditEntry, Dispatch, Event, Restoration, ScheduledEvent
from notifications.timeline import timeline
from notifications.timeline_entries import Kind
from orders_site.events import OrderCancelled, OrderShipped
from tests.plans import analyze, plan_of

pytestmark = pytest.mark.django_db(transaction=True)

State = ScheduledEvent.State
HOUR = timedelta(hours=1)


def add(number: int = 17, *, at: datetime | None = None, key: str = "") -> int:
    with transaction.atomic():
        data = OrderShipped(order_id=number, carrier="DHL")
        return schedule.add(data, at=at or timezone.now() + HOUR, key=key)


def came_due(*numbers: int, ago: timedelta = timedelta(seconds=1)) -> datetime:
    at = timezone.now() - ago
    ScheduledEvent.objects.filter(pk__in=numbers).update(due_at=at, look_at=at, created_at=at)
    return at


def state_of(number: int) -> str:
    return ScheduledEvent.objects.get(pk=number).state


def test_it_is_no_event_until_it_is_due_and_then_one_of_that_moment() -> None:
    number = add()
    assert schedule.record_due() == 0
    assert not Event.objects.exists()

    at = came_due(number)
    assert schedule.record_due() == 1
    recorded = Event.objects.get()
    assert (recorded.type, recorded.subject, recorded.time) == ("order.shipped", "order/17", at)
    assert recorded.data == {"order_id": 17, "customer_id": None, "carrier": "DHL"}
    assert Dispatch.objects.get().event == recorded
    assert schedule.record_due() == 0
    assert state_of(number) == State.RECORDED


def test_what_is_over_already_is_due_at_once_and_late_from_now_on() -> None:
    at = timezone.now() - timedelta(days=1)
    add(at=at)
    oldest = schedule.oldest_due()
    assert oldest is not None
    assert timezone.now() - oldest < timedelta(minutes=1), "no relay was ever asked for it before"
    assert schedule.record_due() == 1
    assert Event.objects.get().time == at


def test_it_shares_the_transaction_of_the_change_that_brings_it() -> None:
    with pytest.raises(OutsideTransaction, match=r"add\(\).*transaction\.atomic"):
        schedule.add(OrderShipped(order_id=17), at=timezone.now() + HOUR)
    with transaction.atomic():
        schedule.add(OrderShipped(order_id=17), at=timezone.now() + HOUR)
        transaction.set_rollback(True)
    assert not ScheduledEvent.objects.exists()


def test_to_add_it_again_moves_it() -> None:
    first = add(at=timezone.now() - HOUR)
    later = timezone.now() + HOUR
    assert add(at=later) == first

    assert schedule.record_due() == 0
    assert ScheduledEvent.objects.get().due_at == later


def test_several_of_one_type_about_one_order_are_told_apart_by_their_keys() -> None:
    numbers = {add(key="first reminder"), add(key="second reminder"), add(18)}
    assert len(numbers) == 3


def test_one_that_was_recorded_may_be_scheduled_anew() -> None:
    came_due(first := add())
    schedule.record_due()
    assert add() != first


@pytest.mark.parametrize(
    ("at", "key", "said"),
    [
        (datetime(2026, 12, 1), "", "at: must be a timezone-aware"),  # noqa: DTZ001 - it is the point
        (HOUR, "", "at: must be a timezone-aware datetime"),
        (timezone.now(), "k" * 101, "key: give at most 100 characters"),
        (timezone.now(), "a\0b", "key: holds a NUL or half a surrogate pair"),
        (timezone.now(), "a\ud800b", "key: holds a NUL or half a surrogate pair"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_once(at: Any, key: str, said: str) -> None:
    with pytest.raises(EventRefused, match=said):
        add(at=at, key=key)


def test_wrong_facts_are_refused_at_once() -> None:
    wrong = OrderShipped.model_construct(order_id=-1)
    with pytest.raises(EventRefused, match="order_id"), transaction.atomic():
        schedule.add(wrong, at=timezone.now() + HOUR)


def test_what_is_called_off_is_never_recorded() -> None:
    with transaction.atomic():
        schedule.add(OrderCancelled(order_id=17), at=timezone.now() + HOUR)
    shipped, another = add(), add(18)

    assert schedule.call_off("order/17", "order.shipped") == 1
    assert state_of(shipped) == State.CALLED_OFF
    assert schedule.call_off("order/17") == 1, "whatever is left of it"
    assert schedule.call_off("order/17") == 0

    came_due(*ScheduledEvent.objects.values_list("pk", flat=True))
    assert schedule.record_due() == 1
    assert state_of(another) == State.RECORDED


def test_one_of_several_is_called_off_by_its_key() -> None:
    add(key="first")
    second = add(key="second")
    assert schedule.call_off("order/17", "order.shipped", key="second") == 1
    assert state_of(second) == State.CALLED_OFF


def test_a_type_that_is_none_is_a_mistake_of_who_calls_it_off() -> None:
    with pytest.raises(UnknownEvent, match=r"order\.shiped is not registered"):
        schedule.call_off("order/17", "order.shiped")


def test_of_relays_side_by_side_one_records_each() -> None:
    came_due(*(add(number) for number in range(1, 2 * schedule.AT_ONCE + 6)))

    def relay(_: int) -> int:
        try:
            return schedule.record_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as relays:
        assert sum(relays.map(relay, range(4))) <= 2 * schedule.AT_ONCE + 5
    schedule.record_due()  # what one had locked when another looked
    subjects = list(Event.objects.values_list("subject", flat=True))
    assert len(subjects) == len(set(subjects)) == 2 * schedule.AT_ONCE + 5


@pytest.mark.parametrize(("fifo", "recorded"), [(set(), 1), ({"order-events"}, 0)])
def test_where_the_order_is_kept_relays_record_one_after_the_other(
    settings: Any, fifo: set[str], recorded: int
) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"FIFO_TOPICS": fifo}
    first = add(key="first")
    came_due(first)
    second_is_due, done = Signal(), Signal()

    def relay() -> None:
        with transaction.atomic():
            schedule.record_due()
            second_is_due.set()
            done.wait(10)
        connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        recording = threads.submit(relay)
        assert second_is_due.wait(10)
        came_due(add(key="second"))
        assert schedule.record_due() == recorded, "a relay beside it"
        done.set()
        recording.result(10)
    schedule.record_due()
    keys = ScheduledEvent.objects.filter(state=State.RECORDED).values_list("key", flat=True)
    assert set(keys) == {"first", "second"}


def test_who_calls_off_too_late_is_told_so() -> None:
    came_due(number := add())
    held, called = Signal(), Signal()

    def relay() -> None:
        with transaction.atomic():
            schedule.record_due()
            held.set()
            called.wait(10)
        connections.close_all()

    def shop() -> int:
        try:
            return schedule.call_off("order/17")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        recording = threads.submit(relay)
        assert held.wait(10)
        calling = threads.submit(shop)
        assert not calling.done()
        called.set()
        recording.result(10)
        assert calling.result(10) == 0
    assert state_of(number) == State.RECORDED


def test_who_moves_it_too_late_schedules_another() -> None:
    came_due(number := add())
    held, moved = Signal(), Signal()

    def relay() -> None:
        with transaction.atomic():
            schedule.record_due()
            held.set()
            moved.wait(10)
        connections.close_all()

    def shop() -> int:
        try:
            return add()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        recording = threads.submit(relay)
        assert held.wait(10)
        moving = threads.submit(shop)
        assert not moving.done()
        moved.set()
        recording.result(10)
        assert moving.result(10) != number
    assert list(ScheduledEvent.objects.order_by("id").values_list("state", flat=True)) == [
        State.RECORDED,
        State.WAITING,
    ]


@pytest.fixture
def new_type() -> Iterator[type[EventData]]:
    """An event that an older relay does not know yet."""

    @event("order.review_due", subject="order/{order_id}")
    class ReviewDue(EventData):
        order_id: int

    yield ReviewDue
    events.unregister("order.review_due")


def test_a_type_that_this_relay_does_not_know_waits_and_is_kept(
    new_type: type[EventData],
) -> None:
    with transaction.atomic():
        number = schedule.add(new_type(order_id=17), at=timezone.now() - timedelta(seconds=1))
    other = add(18, at=timezone.now() - timedelta(seconds=1))
    events.unregister("order.review_due")

    assert schedule.record_due() == 1, "the other one, which it does know"
    row = ScheduledEvent.objects.get(pk=number)
    assert (row.state, row.error) == (
        "waiting",
        "order.review_due version 1 is not registered here",
    )
    assert row.look_at > timezone.now() + schedule.PAUSE - timedelta(seconds=10)

    came_due(number, ago=events.UNKNOWN_HELD)
    assert schedule.record_due() == 0
    assert state_of(number) == State.REFUSED
    assert state_of(other) == State.RECORDED
    texts = [need.text for need in needs.now()]
    assert "1 scheduled event could not be recorded." in texts

    event("order.review_due", subject="order/{order_id}")(new_type)
    assert schedule.bring_forward(number, by="ada", reason="deployed") == ""
    assert schedule.record_due() == 1
    assert Event.objects.filter(type="order.review_due", subject="order/17").count() == 1


def test_of_what_was_over_when_it_was_scheduled_an_unknown_type_waits_as_long(
    new_type: type[EventData],
) -> None:
    with transaction.atomic():
        number = schedule.add(new_type(order_id=17), at=timezone.now() - timedelta(days=1))
    events.unregister("order.review_due")

    assert schedule.record_due() == 0
    assert state_of(number) == State.WAITING


@pytest.fixture
def fussy() -> Iterator[Callable[[Callable[[], None]], type[EventData]]]:
    """Registers an event whose own validator does this."""

    def registered(do: Callable[[], None]) -> type[EventData]:
        @event("order.fussy", subject="order/{order_id}")
        class Fussy(EventData):
            order_id: int

            @field_validator("order_id")
            @classmethod
            def _judge(cls, value: int) -> int:
                do()
                return value

        return Fussy

    yield registered
    events.unregister("order.fussy")


def _says_what_no_column_keeps() -> None:
    raise RuntimeError("\0 of ada@example.org")


def _asks_too_much_of_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_fill(0, ARRAY[1, 1, 1, 1, 1, 1, 1])")


@pytest.mark.parametrize("fault", [_says_what_no_column_keeps, _asks_too_much_of_the_database])
def test_whatever_the_shop_raises_costs_no_other(
    fault: Callable[[], None], fussy: Callable[[Callable[[], None]], type[EventData]]
) -> None:
    faults: list[Callable[[], None]] = []
    kind = fussy(lambda: [each() for each in faults] and None)
    with transaction.atomic():
        broken = schedule.add(kind(order_id=1), at=timezone.now() - timedelta(seconds=1))
    other = add(2, at=timezone.now() - timedelta(seconds=1))
    faults.append(fault)

    assert schedule.record_due() == 1
    assert (state_of(broken), state_of(other)) == (State.REFUSED, State.RECORDED)
    assert "ada@" not in ScheduledEvent.objects.get(pk=broken).error


def test_one_that_raises_costs_no_other() -> None:
    broken, fine = add(1), add(2)
    ScheduledEvent.objects.filter(pk=broken).update(data={"order_id": -1})
    came_due(broken, fine)

    assert schedule.record_due() == 1
    assert state_of(fine) == State.RECORDED
    row = ScheduledEvent.objects.get(pk=broken)
    assert row.state == State.REFUSED
    assert "order_id" in row.error


def test_to_add_what_could_not_be_recorded_again_mends_it() -> None:
    broken = add()
    ScheduledEvent.objects.update(data={"order_id": -1})
    came_due(broken)
    schedule.record_due()

    assert add(at=timezone.now() - HOUR) == broken
    assert schedule.record_due() == 1


def test_an_operator_calls_off_or_brings_forward_what_is_open_on_record() -> None:
    first, second = add(1), add(2)
    assert schedule.call_off_one(first, by="ada", reason="they asked for it") == ""
    assert schedule.bring_forward(second, by="ada", reason="it is urgent") == ""
    assert schedule.record_due() == 1
    assert Event.objects.get().subject == "order/2"

    actions = AuditEntry.objects.order_by("id").values_list("action", "subject", "reason")
    assert list(actions) == [
        ("scheduled_event.call_off", "order/1", "they asked for it"),
        ("scheduled_event.bring_forward", "order/2", "it is urgent"),
    ]
    assert schedule.call_off_one(first, by="ada", reason="again") == "it is called off"
    assert schedule.bring_forward(second, by="ada", reason="again") == "it is recorded"
    assert "no such" in schedule.call_off_one(10**9, by="ada", reason="x")
    assert AuditEntry.objects.count() == 2


def test_what_is_due_and_not_recorded_counts_as_late() -> None:
    assert schedule.oldest_due() is None
    add()
    assert schedule.oldest_due() is None
    at = came_due(*ScheduledEvent.objects.values_list("pk", flat=True), ago=HOUR)
    assert schedule.oldest_due() == at
    with transaction.atomic():
        outbox.record(OrderShipped(order_id=1))
    assert schedule.oldest_due() == at


@pytest.fixture
def seen_anew() -> Iterator[None]:
    """No other test goes by this one's restoration."""
    yield
    Restoration.objects.all().delete()
    restorations.look_again()


@pytest.mark.usefixtures("seen_anew")
def test_what_came_due_in_the_time_that_a_restored_database_has_forgotten_is_doubted() -> None:
    in_that_time, since = add(1), add(2)
    came_due(in_that_time, ago=HOUR)
    now = timezone.now()
    Restoration.objects.create(
        covers_since=now - 2 * HOUR, untouched_before=now - HOUR, by="ada", reason="the disk"
    )
    restorations.look_again()
    came_due(since, ago=-timedelta(milliseconds=1))
    time.sleep(0.01)
    assert schedule.record_due() == 2

    sent = {"sent_at": timezone.now().timestamp(), "receive_count": 1, "queue": "email"}
    doubted = {}
    for each in Event.objects.all():
        with restorations.judged(each.envelope(), sent):
            doubted[each.subject] = restorations.is_doubted()
    assert doubted == {"order/1": True, "order/2": False}


def test_the_timeline_tells_what_is_ahead_and_what_was_called_off() -> None:
    at = timezone.now() + HOUR
    add(at=at)
    [scheduled, ahead] = timeline("order/17").entries
    assert scheduled.what == f"order.shipped scheduled for {timezone.localtime(at):%Y-%m-%d %H:%M}"
    assert (ahead.kind, ahead.at, ahead.what) == (Kind.AHEAD, at, "order.shipped is due")

    schedule.call_off("order/17")
    [scheduled, over] = timeline("order/17").entries
    assert (over.what, over.detail) == ("order.shipped called off", "by the shop")


def test_a_check_names_what_could_not_be_recorded(new_type: type[EventData]) -> None:
    with transaction.atomic():
        schedule.add(new_type(order_id=17), at=timezone.now() + HOUR)
    assert not list(check_scheduled())
    events.unregister("order.review_due")
    [warning] = check_scheduled()
    assert warning.id == "notifications.W097"
    assert "order.review_due version 1 is scheduled (1) and is not registered" in warning.msg


def test_what_was_just_scheduled_is_not_looked_for_on_a_replica(settings: Any) -> None:
    settings.DATABASE_ROUTERS = ["tests.integration.test_preferences.ToAReplica"]
    first, second = add(1), add(2)
    assert schedule.bring_forward(first, by="ada", reason="it is urgent") == ""
    assert schedule.call_off_one(second, by="ada", reason="sold out") == ""
    assert schedule.record_due() == 1
    assert schedule.call_off("order/1") == 0


def test_what_is_due_is_found_by_an_index_among_many() -> None:
    with transaction.atomic():
        ScheduledEvent.objects.bulk_create(
            ScheduledEvent(
                event_type="order.shipped",
                version=1,
                subject=f"order/{number}",
                due_at=timezone.now() + HOUR,
                look_at=timezone.now() + HOUR,
                state=State.WAITING if number % 2 else State.RECORDED,
            )
            for number in range(20_000)
        )
        analyze(ScheduledEvent)
        due = ScheduledEvent.objects.due().select_for_update(skip_locked=True)[:100]
        plan = plan_of(*due.query.sql_with_params())
        assert "scheduled_waiting" in plan
        transaction.set_rollback(True)
