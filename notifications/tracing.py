"""The W3C trace context (https://www.w3.org/TR/trace-context/) that requests and events carry.

Whoever works on a traced request or message says so, and what it records or asks for belongs to
the same trace:

    with tracing.continued(envelope.traceparent):
        ...

This is all that is needed to hand a trace on; the spans of it are `notifications.spans`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

HEADER = "traceparent"
"""Its name in an HTTP request, a CloudEvent and a message attribute."""

MAX_LENGTH = 512
"""Characters of a header that is looked at."""

_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_current: ContextVar[str] = ContextVar("traceparent", default="")


def read(header: object) -> str:
    """The context that somebody else's header gives, in version 00; "" for what is malformed.

    Of a later version, what version 00 has of it is taken, as the specification asks.
    """
    if not isinstance(header, str) or len(header) > MAX_LENGTH:
        return ""
    found = _HEADER.match(header := header.strip(" \t"))
    if found is None:
        return ""
    rest = header[found.end() :]
    if rest and (found[1] == "00" or not rest.startswith("-")):
        return ""
    return f"00{found[0][2:]}"


def new() -> str:
    """The context of a trace that begins here."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


@contextmanager
def continued(traceparent: str) -> Iterator[None]:
    """What is done inside belongs to this trace ("" to none: each event begins a trace).

    `traceparent` is well-formed, as an Envelope's and what `read` gives is.
    """
    token = enter(traceparent)
    try:
        yield
    finally:
        leave(token)


def enter(traceparent: str) -> Token[str]:
    """The same without a `with`; to be left by `leave`, in the same thread."""
    return _current.set(traceparent)


def leave(token: Token[str]) -> None:
    _current.reset(token)


def current() -> str:
    """The context of what is done now; "" outside a trace."""
    return _current.get()


def carried() -> dict[str, str]:
    """The header, or message attribute, for whoever is asked on behalf of what is done now."""
    return {HEADER: here} if (here := _current.get()) else {}


def traceparent() -> str:
    """The context of an event that happens now: a span of the current trace, or of a new one."""
    if not (here := _current.get()):
        return new()
    version, trace, _, flags = here.split("-")
    return f"{version}-{trace}-{os.urandom(8).hex()}-{flags}"
