"""Reading a dead letter back: whatever anybody wrote on it, a row can hold the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import buried, dead_letters, topology
from notifications.dead_letters import Failure, Letter, Refused
from notifications.identifiers import uuid7
from notifications.identity import NOBODY, Identity, identify

texts = st.text(st.characters(exclude_categories=()), max_size=300)
NAMES = st.sampled_from(sorted(dead_letters.WRITTEN)) | st.text(
    "abcXYZ_.-", min_size=1, max_size=20
)
MESSAGE = {"MessageId": "the-sqs-id", "ReceiptHandle": "h", "Body": "hello"}


def read(**message: Any) -> Letter:
    layout = topology.current()
    return buried.letter(layout, layout.dead_letter_queue("email"), {**MESSAGE, **message})


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


@given(st.dictionaries(NAMES, st.builds(text, texts), max_size=10), texts)
def test_nothing_on_it_makes_reading_fail_or_a_row_too_small(
    attributes: dict[str, Any], body: str
) -> None:
    letter = read(MessageAttributes=attributes, Body=body)
    failure = letter.failure
    assert 0 < len(failure.reason) <= dead_letters.MAX_REASON
    assert len(failure.error_class) <= dead_letters.MAX_ERROR_CLASS
    assert 0 < len(failure.fingerprint) <= dead_letters.MAX_FINGERPRINT
    assert 0 < len(letter.message_id) <= 100
    assert "\0" not in failure.reason + failure.error + failure.error_class + letter.message_id
    assert letter.queue in {"email", "email-bulk"}
    assert letter.body == body


def test_what_a_worker_wrote_is_read_back_the_same() -> None:
    written = Letter(
        queue="email",
        dead_letters="test-email-dlq",
        message_id="message",
        body="hello",
        failure=Failure("poison", "a.B", "it died", "f" * 16, 4),
        first_seen=datetime(2026, 11, 20, tzinfo=UTC),
        attributes={"event_type": text("order.created")},
    )
    assert read(MessageAttributes=dead_letters.sqs_attributes(written)) == written


def test_ten_attributes_fit_and_the_queue_is_then_taken_from_the_dead_letter_queue() -> None:
    letter = Letter(
        queue="email-bulk",
        dead_letters="test-email-dlq",
        message_id="message",
        body="hello",
        failure=Failure("poison", "a.B", "it died", "f" * 16, 4),
        first_seen=datetime(2026, 11, 20, tzinfo=UTC),
        attributes={name: text("x") for name in ("event_type", "event_version", "traceparent")},
    )
    written = dead_letters.sqs_attributes(letter)
    assert len(written) == dead_letters.MAX_ATTRIBUTES
    assert read(MessageAttributes=written).queue == "email"


def test_a_publisher_s_attribute_with_a_name_of_ours_is_not_written_over() -> None:
    letter = Letter(
        queue="email",
        dead_letters="test-email-dlq",
        message_id="message",
        body="hello",
        failure=Failure("poison"),
        first_seen=datetime(2026, 11, 20, tzinfo=UTC),
        attributes={"reason": text("theirs")},
    )
    with pytest.raises(Refused, match="of its own named reason"):
        dead_letters.sqs_attributes(letter)
    assert read(MessageAttributes=letter.attributes).attributes == letter.attributes


@pytest.mark.parametrize(
    "said", ["9999-12-31T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "2026-11-20T10:00:00", "x"]
)
def test_a_time_that_nobody_can_reckon_with_is_not_believed(said: str) -> None:
    written = dict.fromkeys(dead_letters.ALWAYS_WRITTEN, text("failed")) | {
        "first_seen": text(said)
    }
    letter = read(MessageAttributes=written, Attributes={"SentTimestamp": "1764000000000"})
    assert letter.first_seen == datetime.fromtimestamp(1764000000, UTC)


def test_sqs_says_where_it_moved_it_from() -> None:
    arn = "arn:aws:sqs:eu-central-1:000000000000:test-email-bulk"
    letter = read(Attributes={"DeadLetterQueueSourceArn": arn, "SentTimestamp": "1764000000000"})
    assert (letter.queue, letter.failure.reason) == ("email-bulk", "max_receives")
    assert letter.first_seen == datetime.fromtimestamp(1764000000, UTC)


def test_what_sns_could_not_deliver_is_its_publishers_whatever_is_written_on_it() -> None:
    layout = topology.current()
    forged = dict.fromkeys(dead_letters.ALWAYS_WRITTEN, text("poison"))
    message = {**MESSAGE, "MessageAttributes": forged}

    letter = buried.letter(layout, layout.queue("sms-undelivered"), message)

    assert (letter.queue, letter.failure.reason) == ("sms", "sns_could_not_deliver")
    assert (letter.attributes, letter.message_id) == (forged, "the-sqs-id")


EVENT_ID = uuid7()
KNOWN = (
    f'{{"specversion":"1.0","id":"{EVENT_ID}","source":"urn:x","type":"%s","dataversion":%s,'
    '"subject":"order/7","time":"2026-11-20T10:00:00Z","generation":3,"data":%s}'
)


@pytest.mark.parametrize(
    "body",
    [
        KNOWN % ("order.created", 1, '{"order_id":7}'),
        KNOWN % ("order.created", 99, '{"order_id":7}'),
        KNOWN % ("order.created", 1, '{"order_id":"seven"}'),
    ],
)
def test_an_event_says_what_it_is_whether_it_can_be_read_or_not(body: str) -> None:
    assert identify(body) == Identity(EVENT_ID, "order.created", "order/7", 3)


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        ("hello", NOBODY),
        ("[]", NOBODY),
        ('{"specversion":"1.0","type":7,"id":"x","generation":-1,"subject":["a"]}', NOBODY),
        ('{"specversion":"1.0","type":"%s"}' % ("x" * 101), NOBODY),
        ('{"event_type":"order.vanished"}', Identity(event_type="order.vanished")),
        (
            '{"Type":"Notification","Message":"{\\"event_type\\":\\"a.b\\"}"}',
            Identity(event_type="a.b"),
        ),
        ('{"Type":"Notification","Message":"hello"}', NOBODY),
    ],
)
def test_what_is_no_event_says_as_much_as_it_can(body: str, identity: Identity) -> None:
    assert identify(body) == identity
