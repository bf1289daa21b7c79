"""httpx's exceptions in our words, for every adapter that speaks HTTP itself; and its client.

What decides between TransientError and OutcomeUnknown is one question: could the request have
been written? Whoever cannot rule it out says unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from notifications import tracing
from notifications.exceptions import OutcomeUnknown, TransientError

MAX_CONNECTIONS = 64
NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)


def client(*, connect_timeout: float, read_timeout: float) -> httpx.Client:
    """A client that keeps its connections; timeouts in seconds. To be made after any fork."""
    return httpx.Client(
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout, pool=connect_timeout),
        limits=httpx.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS
        ),
        event_hooks={"request": [carry_trace]},
    )


def carry_trace(request: httpx.Request) -> None:
    """Tell the provider in which trace it is asked, so that what it says of it can be found."""
    request.headers.update(tracing.carried())


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """What stands in an answer's body; empty when that is no JSON object: then the status says what
    became of the request. Nothing of it raises, however deep it is nested, in whatever letters."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


@contextmanager
def translated(provider: str) -> Iterator[None]:
    """Around one request: httpx's exceptions become ours. Nothing is chained: they hold the
    request."""
    try:
        yield
    except NOT_CONNECTED:
        raise TransientError(f"{provider} cannot be reached.", "not_connected") from None
    except httpx.ReadTimeout:
        raise OutcomeUnknown(f"{provider} did not answer in time.", "read_timeout") from None
    except httpx.RequestError:
        raise OutcomeUnknown(
            "The connection ended before the answer came.", "connection_lost"
        ) from None
