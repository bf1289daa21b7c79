"""Bodies that SQS itself refuses, at the translator: none raises, and a row keeps each of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications import envelope
from notifications.dead_letters import Failure, Letter, Refused, bury
from notifications.events import MAX_NAMED
from notifications.exceptions import PermanentError
from notifications.models import DeadLetter
from notifications.worker import reading
from notifications.worker.departures import letter_of
from notifications.worker.queues import polled_queues
from notifications.worker.reading import GiveUp, Wait
from notifications.worker.received import Received
from notifications.worker.unknown_events import UNKNOWN_HELD, UnknownEvents
from tests.bodies import ANY, HOSTILE, MIB, bodies

UNKNOWN = UnknownEvents(UNKNOWN_HELD)
ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "\0\ud800"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\xff"},
}


def received(body: str, queue: str = "email", *, age: float = 0.0, receives: int = 1) -> Received:
    return Received.of(
        polled_queues(queue)[0],
        {
            "MessageId": "m",
            "ReceiptHandle": "h",
            "Body": body,
            "MessageAttributes": ATTRIBUTES,
            "Attributes": {
                "SentTimestamp": str(int((time.time() - age) * 1000)),
                "ApproximateReceiveCount": str(receives),
            },
        },
    )


@pytest.mark.django_db
@pytest.mark.parametrize("queue", ["email", "receipts"])
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies("order.created", "notifications.email") | st.text(ANY, min_size=1))
def test_whatever_a_body_holds_a_row_keeps_it_as_it_came(queue: str, body: str) -> None:
    message = received(body, queue)

    found = reading.read(message, UNKNOWN)

    assert isinstance(found, GiveUp)
    DeadLetter.objects.all().delete()
    bury(letter_of(message, found.failure), _refuse)
    row = DeadLetter.objects.get()
    assert bytes(row.body).decode(errors="surrogatepass") == body
    assert (row.reason, row.queue) == ("not_an_event", queue)
    assert row.attributes["text"] == {"DataType": "String", "BinaryValue": "AO2ggA=="}


@pytest.mark.django_db
def test_an_error_that_no_row_could_hold_is_cut_and_cleaned() -> None:
    error = PermanentError("half \ud800 and \0 " + "x" * 1000, code="a_code_of_the_shop_s_own" * 9)
    bury(letter_of(received("hello"), Failure.of(error, attempts=1)), _refuse)
    row = DeadLetter.objects.get()
    assert row.reason == ("a_code_of_the_shop_s_own" * 9)[:40]
    assert row.error.startswith("half  and ")


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body[:20])
def test_a_hostile_body_is_given_up_and_takes_no_worker_s_time(body: str) -> None:
    begun = time.thread_time()
    found = reading.read(received(body), UNKNOWN)
    assert isinstance(found, GiveUp)
    letter_of(received(body), found.failure)
    assert time.thread_time() - begun < 1.0, "seconds of CPU"


def test_a_hundred_thousand_wrong_fields_are_named_by_some_and_counted() -> None:
    fields = ",".join(f'"field{number}":1' for number in range(60_000))
    body = (
        '{"specversion":"1.0","id":"019aa000-0000-7000-8000-000000000000","source":"urn:x",'
        '"type":"order.created","subject":"order/1","time":"2026-11-20T10:00:00Z",'
        f'"data":{{"{"k" * 5000}":1,{fields}}}}}'
    )
    assert len(body) < MIB
    found = reading.read(received(body), UNKNOWN)
    assert isinstance(found, GiveUp)
    assert "order_id: Field required" in found.failure.error
    with pytest.raises(ValueError, match=rf"and {60_002 - MAX_NAMED} more") as refusal:
        envelope.read(body)
    assert len(str(refusal.value)) < 2_000


@pytest.mark.parametrize(("type_", "version"), [("order.vanished", 1), ("order.created", 99)])
def test_an_event_of_unknown_type_or_version_waits_half_an_hour_and_joins_them(
    type_: str, version: int
) -> None:
    body = (
        '{"specversion":"1.0","id":"019aa000-0000-7000-8000-000000000000","source":"urn:x",'
        f'"type":"{type_}","dataversion":{version},"subject":"order/1",'
        '"time":"2026-11-20T10:00:00Z","data":{}}'
    )
    waits = []
    for receives, age in enumerate([0, 30, 90, 210, 450, 750, 1790], start=1):
        found = reading.read(received(body, age=age, receives=receives), UNKNOWN)
        assert isinstance(found, Wait)
        waits.append(round(found.seconds))
    assert waits[:6] == [30, 60, 120, 240, 300, 300]
    assert 5 <= waits[6] <= 10, "what is left of the half hour"

    message = received(body, age=1801, receives=12)
    given_up = reading.read(message, UNKNOWN)
    assert isinstance(given_up, GiveUp)
    assert given_up.failure.reason == "unknown_event"
    letter = letter_of(message, given_up.failure)
    assert (letter.event_type, letter.subject, letter.body) == (type_, "order/1", body)


def _refuse(letter: Letter, attributes: object) -> None:
    raise Refused("SQS takes no such body")
