"""The outbox: an event and the order to publish it, in the transaction that made it true."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from notifications import consumers, envelope, events, fallback_steps, restorations, spans, tracing
from notifications.conf import conf
from notifications.exceptions import EventRefused, OutsideTransaction
from notifications.models import Dispatch, Event
from notifications.nudges import nudge
from notifications.span import Kind

MAX_BYTES = 200 * 1024
"""Of one event on the wire. SNS takes 256 KiB with the attributes; events are ids and facts."""


def record(data: events.EventData, *, time: datetime | None = None) -> Event:
    """Keep the fact and order its publication, in the caller's transaction.

    `time` is when it happened (aware; now, if not given). Raises OutsideTransaction, and
    EventRefused naming the wrong field.
    """
    using = router.db_for_write(Event)
    insist_on_transaction("record()", using)
    kind = events.type_of(data)
    with spans.span(
        f"record {kind.name}",
        Kind.PRODUCER,
        event_type=kind.name,
        operation="record",
        operation_type="create",
        queue=kind.topic,
    ) as span:
        event = event_of(kind, validated(kind, data), time, traceparent=span.traceparent)
        span.set(event=event.id, subject=event.subject)
        Dispatch.objects.using(using).record(event, topic=kind.topic)
        fallback_steps.order_steps(event, using=using)
    # Robust: an order that is committed stands, whether or not the relay could be woken.
    # A lambda, because Django logs a failure by its name and a partial has none.
    transaction.on_commit(lambda: nudge(using), using=using, robust=True)
    return event


def insist_on_transaction(caller: str, using: str) -> None:
    """Raises OutsideTransaction."""
    if not transaction.get_connection(using).in_atomic_block:
        raise OutsideTransaction(
            f"{caller} must share the transaction of the change it tells about: "
            "wrap both in `with transaction.atomic():`"
        )


def validated(kind: events.EventType, data: events.EventData) -> events.EventData:
    """Validated again: `model_construct` and `model_copy` make instances that never were."""
    return kind.parse(data.model_dump(by_alias=True, round_trip=True, warnings=False))


def event_of(
    kind: events.EventType,
    data: events.EventData,
    time: datetime | None = None,
    *,
    traceparent: str = "",
) -> Event:
    """The event that tells these facts, not kept yet. Raises EventRefused.

    traceparent: of the span that it is recorded in; a new one of the current trace, if not given.
    """
    facts = data.model_dump(mode="json", by_alias=True, round_trip=True)
    event = Event(
        type=kind.name,
        version=kind.version,
        source=conf().source,
        subject=kind.subject_of(data),
        time=restorations.not_after_its_cause(time or timezone.now()),
        data=facts,
        traceparent=traceparent or tracing.traceparent(),
        expected=consumers.expected_for(kind.name),
    )
    for problem in _problems(event):
        raise EventRefused(f"{kind.name} v{kind.version}: {problem}")
    return event


def _problems(event: Event) -> Iterator[str]:
    if timezone.is_naive(event.time):
        yield "time: must be timezone-aware"
    elif not envelope.EARLIEST <= event.time < envelope.LATEST:
        yield f"time: must lie between {envelope.EARLIEST.year} and {envelope.LATEST.year}"
    if not 0 < len(event.subject) <= 255:
        yield f"subject: has {len(event.subject)} characters, 1 to 255 are allowed"
    yield from unstorable(event.data, "data")
    size = len(envelope.write(event.envelope()))
    if size > MAX_BYTES:
        yield f"data: the event has {size} bytes, at most {MAX_BYTES} are allowed: record ids"


def unstorable(value: Any, field: str) -> Iterator[str]:
    """What pydantic accepts and PostgreSQL's jsonb refuses, which would cost the transaction."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from unstorable(name, f"{field}.{name!r}")
            yield from unstorable(inner, f"{field}.{name}")
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from unstorable(inner, f"{field}.{position}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{field}: {value} has no place in JSON"
    elif isinstance(value, str) and ("\0" in value or not _is_utf8(value)):
        yield f"{field}: holds a NUL or half a surrogate pair, which PostgreSQL cannot keep"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
