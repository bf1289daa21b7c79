"""OpenTelemetry's side of `notifications.spans`, which imports it when it is needed, and no other.

What is exported, where to and how much of it, OpenTelemetry's own variables say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import Token
from functools import partial
from types import TracebackType
from typing import Any, Self

from celery.exceptions import TaskPredicate
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from notifications import tracing
from notifications.exceptions import Busy, NotificationError
from notifications.span import ATTRIBUTES, Kind, Named
from notifications.spans import Make

FLUSH_SECONDS = 5
"""The longest that a process which ends waits until its last spans are taken."""

NAME = "notifications"
_NO_FAILURE = (TaskPredicate, Busy)
"""What ends a task that is to be done later, or was done already."""

_NUMBERS = (bool, int, float)


def is_set_up() -> bool:
    """Whether the project has set OpenTelemetry up itself, as `opentelemetry-instrument` does."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def maker() -> Make:
    """Makes spans in the way that the project has set up."""
    return partial(Made, trace.get_tracer(NAME))


def own_maker() -> tuple[Make, Callable[[], None]]:
    """Makes spans that go where the environment says, and hands over the last of them."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    processor = BatchSpanProcessor(OTLPSpanExporter())
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    # Its own `shutdown` waits for half a minute, which no process that is asked to end has.
    close = partial(processor._batch_processor.shutdown, FLUSH_SECONDS * 1000)
    return partial(Made, provider.get_tracer(NAME)), close


class Made(Named):
    """A span of OpenTelemetry, current in its words and in those of `tracing`."""

    __slots__ = ("_attached", "_entered", "_kind", "_links", "_name", "_root", "_span", "_tracer")

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        kind: Kind,
        links: Iterable[str],
        root: bool,
        attributes: Mapping[str, Any],
    ) -> None:
        super().__init__(attributes)
        self._tracer, self._name, self._kind = tracer, name, kind
        self._links, self._root = links, root
        self._attached: Token[context.Context] | None = None
        self._entered: Token[str] | None = None

    def __enter__(self) -> Self:
        here = tracing.current()
        others = dict.fromkeys([*self._links, here] if self._root else self._links)
        self._span = self._tracer.start_span(
            self._name,
            context=context.Context() if self._root else _parent(here),
            kind=trace.SpanKind(self._kind.value),
            links=[trace.Link(_context_of(each)) for each in others if each],
            attributes=_in_their_words(self._attributes),
            record_exception=False,
            set_status_on_exception=False,
        )
        self._attached = context.attach(trace.set_span_in_context(self._span))
        self._entered = tracing.enter(self.traceparent)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._entered is not None and self._attached is not None:
            tracing.leave(self._entered)
            context.detach(self._attached)
        if isinstance(error, _NO_FAILURE):
            self.set(outcome=type(error).__name__.lower())
        elif error is not None:
            # Its code and no text: that may say with which value it failed.
            said = error.code if isinstance(error, NotificationError) else type(error).__name__
            self.fail(said)
        self._span.end()

    @property
    def traceparent(self) -> str:
        its = self._span.get_span_context()
        return f"00-{its.trace_id:032x}-{its.span_id:016x}-{its.trace_flags:02x}"

    def set(self, **attributes: Any) -> None:
        super().set(**attributes)
        self._span.set_attributes(_in_their_words(attributes))

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def link(self, traceparent: str) -> None:
        if traceparent:
            self._span.add_link(_context_of(traceparent))

    def fail(self, code: str) -> None:
        self._span.set_attribute(ATTRIBUTES["error"], code)
        self._span.set_status(trace.StatusCode.ERROR)


def _parent(here: str) -> context.Context | None:
    """The context in which a span begins; None is OpenTelemetry's own current one.

    That is the nearer where it is of the same trace, for a span of the project's may be open.
    """
    theirs = trace.get_current_span().get_span_context()
    if not here or (theirs.is_valid and f"{theirs.trace_id:032x}" == here.split("-")[1]):
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(_context_of(here)))


def _context_of(traceparent: str) -> trace.SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16))
    )


def _in_their_words(attributes: Mapping[str, Any]) -> dict[str, str | bool | int | float]:
    return {
        ATTRIBUTES[name]: value if isinstance(value, _NUMBERS) else str(value)
        for name, value in attributes.items()
        if value is not None and value != ""
    }
