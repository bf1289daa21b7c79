"""What may arrive on a queue, and what reading makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifications import envelope
from notifications.envelope import Envelope
from notifications.exceptions import NotAnEvent, UnknownEvent

WRITTEN = Envelope(
    id=UUID("0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10"),
    type="order.created",
    version=1,
    source="urn:orders-site",
    subject="order/7",
    time=datetime(2026, 11, 27, 6, 0, tzinfo=UTC),
    data={"order_id": 7},
)
BODY: dict[str, Any] = json.loads(envelope.write(WRITTEN))
FLAT = {"event_type": "order.created", "order_id": 7, "timestamp": "2026-11-27T06:00:00Z"}


def changed(**fields: Any) -> str:
    return json.dumps({**BODY, **fields})


def sns(message: Any) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "x", "Message": message})


def test_what_is_written_is_read() -> None:
    assert envelope.read(envelope.write(WRITTEN)) == WRITTEN


@pytest.mark.S1
def test_an_sns_envelope_is_unwrapped() -> None:
    assert envelope.read(sns(envelope.write(WRITTEN))) == WRITTEN


def test_a_flat_event_gets_the_same_id_on_every_queue() -> None:
    first, second = envelope.read(json.dumps(FLAT)), envelope.read(sns(json.dumps(FLAT)))
    assert first == second
    assert first.foreign
    assert first.subject == "order/7"


def test_a_cloud_event_of_another_source_is_foreign() -> None:
    assert not envelope.read(envelope.write(WRITTEN)).foreign
    assert envelope.read(changed(source="urn:warehouse")).foreign


def test_another_publishers_facts_are_those_that_its_numbers_in_quotes_stand_for() -> None:
    data = {"order_id": "7", "amount_minor": "1000", "currency": "EUR"}
    read = envelope.read(changed(source="urn:warehouse", type="order.refunded", data=data))
    assert read.data == {"order_id": 7, "amount_minor": 1000, "currency": "EUR"}


def test_of_other_publishers_those_types_are_believed_that_the_setting_names(settings: Any) -> None:
    shipped = {"order_id": 7, "carrier": "DHL"}
    bodies = (
        changed(source="urn:warehouse"),
        json.dumps(FLAT),
        sns(json.dumps(FLAT)),
    )
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FOREIGN_EVENTS": ["order.shipped"]}
    for body in bodies:
        with pytest.raises(NotAnEvent, match=r"order.created: .* not in FOREIGN_EVENTS"):
            envelope.read(body)
    assert envelope.read(changed(source="urn:warehouse", type="order.shipped", data=shipped))
    assert envelope.read(changed())


@pytest.mark.parametrize("source", ["urn:orders-site", "urn:warehouse"])
def test_an_event_is_about_what_its_facts_say_whatever_it_says_itself(source: str) -> None:
    """Or what becomes of order 7 could be put down to order 8, and found there by nobody."""
    assert envelope.read(changed(source=source, subject="order/8")).subject == "order/7"


def test_a_time_of_another_zone_is_read_as_utc() -> None:
    read = envelope.read(changed(time="2026-11-27T07:00:00+01:00"))
    assert read.time == WRITTEN.time
    assert read.time.tzinfo is UTC


def test_an_unknown_type_is_no_quarantine_yet() -> None:
    with pytest.raises(UnknownEvent):
        envelope.read(changed(type="order.teleported"))
    with pytest.raises(UnknownEvent):
        envelope.read(changed(dataversion=99))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "7",
        "[]",
        '"order.created"',
        "{}",
        '{"properties": []}',
        '{"body": "W10=", "headers": {"task": "os.system"}, "properties": {"delivery_info": null}}',
        '{"Type": "SubscriptionConfirmation", "Token": "x", "SubscribeURL": "https://x.example"}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
        sns(sns(envelope.write(WRITTEN))),
        sns("hello"),
        sns(7),
        changed(specversion="0.3"),
        changed(specversion=1.0),
        changed(id="no uuid"),
        changed(id=7),
        changed(type=""),
        changed(type="x" * 256),
        changed(source=None),
        changed(subject="\0"),
        changed(subject="\ud800"),
        changed(time="yesterday"),
        changed(time="0001-01-01T00:00:00+23:59"),
        changed(time="9999-12-31T23:59:59-23:59"),
        changed(time=1732687200),
        changed(generation=-1),
        changed(generation=True),
        changed(generation=2**31),
        changed(data=None),
        changed(data={"order_id": "seven"}),
        changed(data={"order_id": 7, "name": "Ada"}, source="urn:elsewhere"),
        changed(data={"order_id": float("nan")}),
        envelope.write(WRITTEN).replace('{"order_id":7}', '{"order_id":1e999}'),
        envelope.write(WRITTEN).replace("7}", "7" * 5000 + "}"),
        json.dumps({**FLAT, "event_type": "x" * 256}),
        json.dumps({**FLAT, "timestamp": "\ud800"}),
        json.dumps({**FLAT, "timestamp": None}),
        json.dumps({**FLAT, "source": 7}),
        json.dumps({**FLAT, "order_id": {}}),
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"specversion":"1.0","data":' + "[" * 900 + "]" * 900 + "}",
        '{"specversion":"1.0","data":' + "[" * 900 + r'"\u00e9"' + "]" * 900 + "}",
        "\ufeff" + envelope.write(WRITTEN),
        "\ud800",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_what_is_no_event_is_refused_and_nothing_else_is_raised(body: str) -> None:
    with pytest.raises(NotAnEvent):
        envelope.read(body)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1.0", "order.created", "Notification", "2026-11-27T06:00:00Z"]),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
near_misses = st.builds(
    lambda body, changes: json.dumps({**body, **changes}),
    st.sampled_from([BODY, FLAT, {"Type": "Notification", "Message": envelope.write(WRITTEN)}]),
    st.dictionaries(
        st.sampled_from([*BODY, *FLAT, "Type", "Message"]) | st.text(), json_values, max_size=4
    ),
)


@given(st.text() | json_values.map(json.dumps) | near_misses)
@example(envelope.write(WRITTEN))
def test_any_text_is_an_event_that_can_be_kept_or_is_refused(text: str) -> None:
    try:
        read = envelope.read(text)
    except (NotAnEvent, UnknownEvent):
        return
    assert isinstance(read.id, UUID)
    assert envelope.read(envelope.write(read)).id == read.id
    assert "\0" not in json.dumps(read.data, ensure_ascii=False).encode().decode()
