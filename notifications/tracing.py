"""The W3C trace context (https://www.w3.org/TR/trace-context/) that events carry along.

Whoever works on a traced request or message says so, and what it records belongs to the
same trace:

    with tracing.continued(envelope.traceparent):
        ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("traceparent", default="")


@contextmanager
def continued(traceparent: str) -> Iterator[None]:
    """Events recorded inside belong to this trace ("" starts a new one for each).

    `traceparent` is well-formed, as an Envelope's is.
    """
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)


def traceparent() -> str:
    """The header for what happens next: a new span of the current trace, or of a new one."""
    version, trace, flags = "00", os.urandom(16).hex(), "01"
    if current := _current.get():
        _, trace, _, flags = current.split("-")
    return f"{version}-{trace}-{os.urandom(8).hex()}-{flags}"
