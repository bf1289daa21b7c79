"""Recording: an event and its dispatch stand or fall with the change they tell about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import consumers, envelope, outbox, tracing
from notifications.events import EventData
from notifications.exceptions import EventRefused, OutsideTransaction, UnknownEvent
from notifications.models import Dispatch, Event
from notifications.nudges import THROTTLE, listen, nudge
from orders_site.events import OrderCreated, OrderShipped
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_event_is_kept_with_the_order_to_publish_it() -> None:
    with transaction.atomic():
        event = outbox.record(OrderCreated(order_id=7, total_minor=1999, currency="EUR"))

    kept = Event.objects.get()
    assert kept == event
    assert (kept.type, kept.version, kept.subject) == ("order.created", 1, "order/7")
    assert kept.data["total_minor"] == 1999
    assert kept.id.version == 7
    assert kept.expected == consumers.expected_for("order.created")
    dispatch = Dispatch.objects.get()
    assert dispatch.event == event
    assert (dispatch.kind, dispatch.destination) == ("topic", "order-events")
    assert (dispatch.state, dispatch.subject) == ("waiting", "order/7")


def test_what_is_kept_is_what_travels() -> None:
    with transaction.atomic():
        outbox.record(OrderCreated(order_id=7))

    event = Event.objects.get()
    assert envelope.read(envelope.write(event.envelope())) == event.envelope()


@pytest.mark.trap(12)
def test_recording_outside_a_transaction_is_refused_with_the_mend() -> None:
    with pytest.raises(OutsideTransaction, match=r"transaction\.atomic"):
        outbox.record(OrderCreated(order_id=7))

    assert not Event.objects.exists()


def test_an_order_that_is_rolled_back_leaves_no_event() -> None:
    with pytest.raises(OutOfStock):
        _record_and_fail()

    assert not Event.objects.exists()
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (OrderCreated.model_construct(order_id="seven"), "order.created v1: order_id: "),
        (OrderCreated.model_construct(), "order.created v1: order_id: Field required"),
        (OrderCreated(order_id=7).model_copy(update={"currency": "euro"}), "currency: "),
        (OrderShipped(order_id=7, carrier="a\0b"), "data.carrier: holds a NUL"),
        (OrderShipped.model_construct(order_id=7, carrier="\ud800"), "v1: carrier: "),
    ],
)
def test_data_that_was_never_validated_is_refused_with_its_field(
    data: EventData, complaint: str
) -> None:
    with transaction.atomic():
        with pytest.raises(EventRefused) as refused:
            outbox.record(data)
        assert complaint in refused.value.message
        outbox.record(OrderCreated(order_id=8))  # the transaction is as good as before

    assert Event.objects.get().subject == "order/8"


def test_data_of_no_registered_event_is_refused() -> None:
    class Unregistered(EventData):
        pass

    with transaction.atomic(), pytest.raises(UnknownEvent, match="@event"):
        outbox.record(Unregistered())


def test_the_time_may_be_given_and_is_aware() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with transaction.atomic():
        assert outbox.record(OrderCreated(order_id=7), time=moment).time == moment
        with pytest.raises(EventRefused, match="time: "):
            outbox.record(OrderCreated(order_id=7), time=datetime(2026, 3, 1, 12))  # noqa: DTZ001


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_a_time_that_no_consumer_would_accept_is_refused(year: int) -> None:
    with transaction.atomic(), pytest.raises(EventRefused, match="time: must lie between"):
        outbox.record(OrderCreated(order_id=7), time=datetime(year, 6, 1, tzinfo=UTC))


def test_what_is_recorded_while_an_event_is_handled_belongs_to_its_trace() -> None:
    with transaction.atomic():
        first = outbox.record(OrderCreated(order_id=7))
        with tracing.continued(first.traceparent):
            second = outbox.record(OrderShipped(order_id=7))
        third = outbox.record(OrderShipped(order_id=8))

    def trace(event: Event) -> str:
        return event.traceparent.split("-")[1]

    assert trace(first) == trace(second) != trace(third)
    assert first.traceparent != second.traceparent


def test_a_commit_nudges_the_relay_but_once_in_a_while() -> None:
    with listen() as listening:
        _wait_until_unthrottled()
        for number in range(5):
            with transaction.atomic():
                outbox.record(OrderCreated(order_id=number + 1))

        nudges = list(listening.notifies(timeout=0.5))

    assert 1 <= len(nudges) < 5


def test_a_nudge_leaves_its_connection_as_it_was() -> None:
    """It does not wait for the disk, which is nobody else's business."""

    def ask(statement: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetchone()[0])

    ask("SELECT set_config('synchronous_commit', 'local', false)")
    with listen() as listening:
        _wait_until_unthrottled()
        nudge()
        assert ask("SHOW synchronous_commit") == "local"
        _wait_until_unthrottled()
        with transaction.atomic():
            nudge()
            assert ask("SHOW synchronous_commit") == "local"

        assert len(list(listening.notifies(timeout=5, stop_after=2))) == 2
    with connection.cursor() as cursor:
        cursor.execute("RESET synchronous_commit")  # the pool hands the connection on


def test_a_rollback_nudges_nobody() -> None:
    with listen() as listening:
        _wait_until_unthrottled()
        with pytest.raises(OutOfStock):
            _record_and_fail()

        assert not list(listening.notifies(timeout=0.2))


@pytest.mark.trap(12)
def test_an_order_stands_although_the_relay_could_not_be_nudged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _wait_until_unthrottled()
    with transaction.atomic():
        transaction.on_commit(_cut_the_connection)
        outbox.record(OrderCreated(order_id=7))
    connection.close()

    assert Event.objects.get().subject == "order/7"
    [said] = [each for each in caplog.records if each.name != "psycopg.pool"]
    assert (said.levelname, said.exc_info) == ("WARNING", None)
    assert said.getMessage() == (
        "The relays could not be woken (OperationalError): they look by themselves within a second"
    )


def test_an_event_that_another_publisher_sent_is_kept_once() -> None:
    foreign = envelope.read(
        '{"event_type": "order.created", "order_id": 7, "timestamp": "2026-03-01T12:00:00Z"}'
    )

    assert Event.objects.keep(foreign) is True
    assert Event.objects.keep(foreign) is False
    kept = Event.objects.get()
    assert (kept.foreign, kept.subject) == (True, "order/7")
    assert kept.expected == consumers.expected_for("order.created")
    assert not Dispatch.objects.exists()


def test_a_postponed_event_goes_to_one_queue_and_not_before_its_time() -> None:
    with transaction.atomic():
        event = outbox.record(OrderCreated(order_id=7))
    Dispatch.objects.all().delete()
    until = timezone.now() + timedelta(hours=1)

    with transaction.atomic():
        Dispatch.objects.postpone(event.envelope(generation=2), queue="email", until=until)

    postponed = Dispatch.objects.get()
    assert (postponed.kind, postponed.destination) == ("queue", "email")
    assert (postponed.reason, postponed.generation) == ("deferred", 2)
    assert Dispatch.objects.claim(10) == []
    Dispatch.objects.update(available_at=timezone.now())
    assert Dispatch.objects.claim(10, left_alone=["topic/email", "queue/email"]) == []
    claimed = Dispatch.objects.claim(10, left_alone=["topic/email", "queue/sms"])
    assert [row.pk for row in claimed] == [postponed.pk]


class OutOfStock(Exception):
    pass


def _record_and_fail() -> None:
    with transaction.atomic():
        outbox.record(OrderCreated(order_id=7))
        raise OutOfStock


def _wait_until_unthrottled() -> None:
    started = timezone.now()
    wait_for(lambda: (timezone.now() - started).total_seconds() > THROTTLE, what="the throttle")


def _cut_the_connection() -> None:
    pid = connection.connection.info.backend_pid
    with listen() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
