"""A span: what may be said of a piece of work, and which of it log lines tell."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from typing import Any, Self

ATTRIBUTES: Mapping[str, str] = {
    "event": "cloudevents.event_id",
    "event_type": "cloudevents.event_type",
    "subject": "cloudevents.event_subject",
    "delivery": "notifications.delivery.id",
    "attempt": "notifications.attempt",
    "channel": "notifications.channel",
    "provider": "notifications.provider",
    "outcome": "notifications.outcome",
    "waited": "notifications.waited_seconds",
    "job": "notifications.job.id",
    "consumer": "messaging.consumer.group.name",
    "queue": "messaging.destination.name",
    "system": "messaging.system",
    "operation": "messaging.operation.name",
    "operation_type": "messaging.operation.type",
    "message_id": "messaging.message.id",
    "messages": "messaging.batch.message_count",
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "error": "error.type",
}
"""Every attribute there is, by the name we give it: ids, names and numbers. What a person is called
or reached by has none, so that it cannot get into a trace. The names are those of OpenTelemetry's
semantic conventions for messaging, CloudEvents and HTTP, and ours where these have none."""

LOGGED = (
    "event",
    "event_type",
    "subject",
    "delivery",
    "channel",
    "provider",
    "consumer",
    "queue",
    "job",
    "method",
    "route",
)
"""Those that a line in a log tells, too."""

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039 - never changed


class Kind(Enum):
    """OpenTelemetry's kinds of span."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class Span:
    """What `span` gives where nothing is to be done; and what may be said of any span."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @property
    def traceparent(self) -> str:
        """Its own context; "" where there is no span."""
        return ""

    def set(self, **attributes: Any) -> None:
        """Say what was not known when it began."""

    def name(self, name: str) -> None:
        """Call it otherwise."""

    def link(self, traceparent: str) -> None:
        """Lead to a span of another trace."""

    def fail(self, code: str) -> None:
        """It has failed, though it raises nothing: a short, stable name of how."""


class Named(Span):
    """No span: only the ids of the lines that are logged inside."""

    __slots__ = ("_attributes", "_before")

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._attributes = attributes
        self._before: Token[Mapping[str, str]] | None = None

    def __enter__(self) -> Self:
        self._before = _ids.set(_with(self._attributes))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            _ids.reset(self._before)

    def set(self, **attributes: Any) -> None:
        _ids.set(_with(attributes))


def ids() -> Mapping[str, str]:
    """What the work at hand is about: some of LOGGED."""
    return _ids.get()


def tell(told: Mapping[str, str]) -> None:
    """What lines tell from now on."""
    _ids.set(told)


def _with(attributes: Mapping[str, Any]) -> Mapping[str, str]:
    told = {name: str(value) for name, value in attributes.items() if value and name in LOGGED}
    return {**_ids.get(), **told} if told else _ids.get()
