"""Spans: what is done where, and for how long. The one seam to OpenTelemetry and to logs' ids.

    with spans.span("deliver", delivery=claim.delivery_id, channel="email") as span:
        ...

Whether anything comes of it is decided once in each process. With the `otel` extra installed, and
configured by OpenTelemetry's own variables, a span is made, a child of what `tracing` says is the
current one, and is current inside. Where logs are JSON, the lines that are written inside tell its
ids. Otherwise nothing is done, and nothing imported. docs/tracing.md lists the spans.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from notifications import tracing
from notifications.span import Kind, Named, Span, ids, tell

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER = "opentelemetry.exporter.otlp.proto.http"

logger = logging.getLogger(__name__)

_NOTHING = Span()
Make = Callable[[str, Kind, Iterable[str], bool, Mapping[str, Any]], Span]


def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    *,
    links: Iterable[str] = (),
    root: bool = False,
    **attributes: Any,
) -> Span:
    """A span, to be entered. attributes: by their names in ATTRIBUTES; empty ones are left out.

    links: contexts that it leads to. root: it begins a trace, and leads to the one it was begun in.
    """
    process = _process
    make = process.make if process.is_decided else process.decide()
    if make is not None:
        return make(name, kind, links, root, attributes)
    return Named(attributes) if process.names_lines else _NOTHING


def about(**attributes: Any) -> Span:
    """No span, only the ids of the lines that are logged inside: some of LOGGED."""
    return Named(attributes) if _process.names_lines else _NOTHING


def is_on() -> bool:
    """Whether spans are made in this process."""
    return (_process.make if _process.is_decided else _process.decide()) is not None


Place = tuple[str, Mapping[str, str]]


def place() -> Place:
    """Where we are: the trace's context, and what lines tell."""
    return tracing.current(), ids()


def stay(at: Place) -> None:
    """What this thread logs from now on is of that place, until it does something else. For who
    has left it and is still talked about, in a process that logs so."""
    if _process.names_lines:
        tracing.enter(at[0])
        tell(at[1])


def name_lines() -> None:
    """From now on spans tell their ids to lines: there is a log that wants them."""
    _process.names_lines = True


def forget() -> None:
    """Decide anew: the environment has changed."""
    global _process
    _process.close()
    _process = _Process(names_lines=_process.names_lines)


def close() -> None:
    """Hand over the last spans, within seconds. For a process that ends."""
    _process.close()


class _Process:
    """What was decided for this process. A forked child decides anew: its parent's exporter has a
    thread that did not come along, and connections that two must not use."""

    def __init__(self, *, names_lines: bool = False) -> None:
        self.is_decided = False
        self.make: Make | None = None
        self.names_lines = names_lines
        self._close: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def decide(self) -> Make | None:
        with self._lock:
            if not self.is_decided:
                try:
                    self._decide()
                except SoftTimeLimitExceeded:
                    raise  # of the task that is the first to ask
                except Exception:
                    logger.exception("No spans are made")
                self.is_decided = True
        return self.make

    def _decide(self) -> None:
        if "opentelemetry.sdk.trace" in sys.modules:
            from notifications import otel

            if otel.is_set_up():
                self.make = otel.maker()
                return
        if why := problem():
            logger.warning("No spans are made: %s", why)
        elif is_asked_for():
            from notifications import otel

            self.make, self._close = otel.own_maker()

    def close(self) -> None:
        with self._lock:
            close, self._close = self._close, None
        if close is not None:
            close()


def is_asked_for() -> bool:
    """Whether the environment says where spans are to go."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    return any(os.environ.get(name) for name in _ENDPOINTS)


def problem() -> str:
    """Why no span is made though somebody asks for them, with the mend; empty when all is well."""
    if not is_asked_for():
        return ""
    protocol = next((value for name in _PROTOCOLS if (value := os.environ.get(name))), "")
    if protocol not in ("", "http/protobuf"):
        return f"{_PROTOCOLS[1]} is {protocol!r}: http/protobuf is spoken here, and nothing else."
    try:
        found = importlib.util.find_spec(_EXPORTER)
    except ModuleNotFoundError:
        found = None
    if found is None:
        return (
            "OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is not installed: install the "
            "packages of the extra `otel`, or take it away."
        )
    return ""


_process = _Process()


def _start_anew_in_child() -> None:
    global _process
    _process = _Process(names_lines=_process.names_lines)


os.register_at_fork(after_in_child=_start_anew_in_child)
atexit.register(close)
