"""An event on the wire: CloudEvents 1.0 as structured JSON, with a `generation`.

`read()` takes what any queue may hold and gives an Envelope, or says that it is not
an event. Three shapes are understood: our CloudEvents, the SNS envelope around
either (a subscription without raw delivery), and the flat shape of other publishers.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifications import events, tracing
from notifications.conf import conf
from notifications.exceptions import EventRefused, NewerEvent, NotAnEvent, UnknownEvent
from notifications.identifiers import foreign_event_id

SPEC_VERSION = "1.0"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
MAX_NESTING = 1  # an SNS envelope holds an event, never another envelope
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""When an event may have happened: what lies outside is a mistake, and overflows in sums."""


@dataclass(frozen=True)
class Envelope:
    """One event as a consumer sees it. `data` is plain JSON; `payload()` is the validated model.

    foreign: somebody else published it, so the first consumer that meets it keeps it.
    announcement: the number of that which it is part of.
    """

    id: UUID
    type: str
    version: int
    source: str
    subject: str
    time: datetime
    data: dict[str, Any]
    generation: int = 0
    traceparent: str = ""
    foreign: bool = False
    announcement: int | None = None

    @property
    def event_type(self) -> events.EventType:
        return events.event_type(self.type, self.version)

    def payload(self) -> events.EventData:
        return self.event_type.parse(self.data)


def write(envelope: Envelope) -> str:
    """The CloudEvents JSON that travels through SNS and SQS."""
    announced = {"announcement": envelope.announcement} if envelope.announcement else {}
    traced = {tracing.HEADER: envelope.traceparent} if envelope.traceparent else {}
    return json.dumps(
        {
            "specversion": SPEC_VERSION,
            "id": str(envelope.id),
            "source": envelope.source,
            "type": envelope.type,
            "subject": envelope.subject,
            "time": envelope.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "dataversion": envelope.version,
            "generation": envelope.generation,
            **traced,
            **announced,
            "data": envelope.data,
        },
        separators=(",", ":"),
    )


def read(text: str, *, internal: bool = False) -> Envelope:
    """The event in `text`. Raises NotAnEvent (quarantine it) or UnknownEvent (hold it a while).

    internal: it was written by this worker, so it may be of an internal type.
    """
    envelope = _read(json_object(text), nested=0)
    if envelope.event_type.internal and not internal:
        raise NotAnEvent(f"{envelope.type}: no event that travels")
    if envelope.foreign and not _is_believed(envelope.type):
        raise NotAnEvent(f"{envelope.type}: of another publisher, and not in FOREIGN_EVENTS")
    return envelope


def _is_believed(event_type: str) -> bool:
    """Of another publisher: its source is a claim, which whoever may publish can make."""
    foreign = conf().foreign_events
    return foreign is None or event_type in foreign


def _read(body: dict[str, Any], nested: int) -> Envelope:
    if "specversion" in body:
        return _read_cloudevent(body)
    if (message := unwrapped(body)) is not None:
        if nested >= MAX_NESTING:
            raise NotAnEvent("an SNS envelope inside an SNS envelope")
        return _read(json_object(message), nested + 1)
    if isinstance(body.get("event_type"), str):
        return _read_flat(body)
    raise NotAnEvent("neither a CloudEvent, nor an SNS notification, nor a flat event")


def unwrapped(body: dict[str, Any]) -> str | None:
    """What SNS wrapped for a subscription without raw delivery; None for any other body."""
    message = body.get("Message")
    return message if body.get("Type") == "Notification" and isinstance(message, str) else None


def _read_cloudevent(body: dict[str, Any]) -> Envelope:
    if body["specversion"] != SPEC_VERSION:
        raise NotAnEvent(
            f"CloudEvents {str(body['specversion'])[:20]!r}, expected {SPEC_VERSION!r}"
        )
    name, version = _text(body, "type"), _whole(body, "dataversion", 1)
    source = _text(body, "source")
    data = body.get("data")
    if not isinstance(data, dict):
        raise NotAnEvent("data: must be a JSON object")
    kind = events.event_type(name, version)
    ours = source == conf().source
    payload = _validate(kind, data, ours=ours)
    subject = _text(body, "subject")
    return Envelope(
        id=_uuid(body),
        type=name,
        version=version,
        source=source,
        # What its facts are about, whatever it says: or what becomes of one order could be
        # put down to another.
        subject=subject
        if kind.internal
        else _text({"subject": kind.subject_of(payload)}, "subject"),
        time=_moment(_text(body, "time")),
        # Another publisher's "1000" is our 1000; of ours a newer process may have said more.
        data=data if ours else payload.model_dump(mode="json", exclude_unset=True),
        generation=_whole(body, "generation", 0),
        traceparent=tracing.read(body.get(tracing.HEADER)),
        foreign=not ours,
        announcement=(_whole(body, "announcement", 0) or None) if ours else None,
    )


def _read_flat(body: dict[str, Any]) -> Envelope:
    """`{"event_type": …, "timestamp": …, <facts>}`; facts our model does not know are left out."""
    timestamp = _text(body, "timestamp")
    time = _moment(timestamp)
    kind = events.newest(_text(body, "event_type"))
    known = {name: body[name] for name in kind.data.model_fields if name in body}
    payload = _validate(kind, known)
    subject = _text({"subject": kind.subject_of(payload)}, "subject")
    return Envelope(
        id=_uuid(body) if "id" in body else foreign_event_id(kind.name, subject, timestamp),
        type=kind.name,
        version=kind.version,
        source=_text(body, "source") if "source" in body else "foreign",
        subject=subject,
        time=time,
        data=payload.model_dump(mode="json"),
        foreign=True,
    )


def _validate(
    kind: events.EventType, data: dict[str, Any], *, ours: bool = False
) -> events.EventData:
    """ours: published by this shop, whose code may be ahead of this process in a deploy."""
    try:
        return kind.parse(data)
    except EventRefused as error:
        if ours and isinstance(error, NewerEvent):
            raise UnknownEvent(error.message) from None
        raise NotAnEvent(error.message) from None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`, every text of which can be kept. Raises NotAnEvent."""
    try:
        body = _JSON.decode(text)
        keepable = (text.isascii() and "\\u" not in text) or _keepable(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"not JSON: {type(error).__name__}") from None
    if not isinstance(body, dict):
        raise NotAnEvent(f"a JSON {type(body).__name__}, expected an object")
    if not keepable:
        raise NotAnEvent("a text in it cannot be kept: NUL or half of a surrogate pair")
    return body


def _finite(digits: str) -> float:
    """A number that JSON can hold: not NaN, not Infinity, nor 1e999, which Python takes for it."""
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:20]} is no number in JSON")
    return number


_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _keepable(value: Any) -> bool:
    """Whether PostgreSQL and UTF-8 take every text in it."""
    match value:
        case str():
            return "\0" not in value and not _SURROGATE.search(value)
        case dict():
            return all(_keepable(key) and _keepable(item) for key, item in value.items())
        case list():
            return all(map(_keepable, value))
    return True


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 255 or "\0" in value:
        raise NotAnEvent(f"{name}: must be a text of 1 to 255 characters")
    return value


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise NotAnEvent(f"{name}: must be a whole number")
    return value


def _uuid(body: dict[str, Any]) -> UUID:
    try:
        return UUID(_text(body, "id"))
    except ValueError:
        raise NotAnEvent("id: must be a UUID") from None


def _moment(text: str) -> datetime:
    """In UTC, whatever its offset was; without one it is taken for UTC."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise NotAnEvent("time: must be ISO 8601") from None
    if not EARLIEST <= moment < LATEST:
        raise NotAnEvent(f"time: must lie between {EARLIEST.year} and {LATEST.year}")
    return moment
