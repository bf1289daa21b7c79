"""boto3 clients: one per process, service and timeouts, shared by its threads.

botocore finds credentials, region and endpoints by itself (AWS_ENDPOINT_URL and its
per-service variants point everything at the embedded parts).
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.session import get_session

from notifications import tracing
from notifications.aws.parsers import StatusFirst
from notifications.unheard import unheard

CONNECT_TIMEOUT = 3.0
READ_TIMEOUTS = {"sqs": 30.0}
"""Seconds. SQS must outlast its 20 s long poll, or an idle queue looks like a dead one."""
READ_TIMEOUT = 10.0
TOTAL_MAX_ATTEMPTS = 3
MAX_POOL_CONNECTIONS = 64
ASK_AGAIN = 60.0
"""Seconds after which a client is made anew that found no credentials. An instance's metadata
service is given one second, once: who begins before it answers would be nobody until its end."""
USER_AGENT = f"django-order-notifications boto3/{boto3.__version__}"
"""Said as it is, because botocore's own is put together anew for each call, twice: a tenth of
the CPU that sending an email takes."""

UNCHECKED = frozenset({"sqs", "sesv2"})
"""Services whose requests botocore does not check before it sends them: they are many and always
of the same form, the check is a tenth of a call's CPU, and the service checks them anyway."""


class _Key(NamedTuple):
    service: str
    connect_timeout: float
    read_timeout: float
    total_max_attempts: int


_lock = threading.Lock()
_clients: dict[_Key, tuple[Any, float]] = {}
"""Each with the moment (monotonic seconds) until which it is used."""
_NONE: tuple[Any, float] = (None, -math.inf)
_session: boto3.session.Session | None = None
"""What all are made from, one after the other: it keeps what botocore has read of its JSON, which
takes half of the time that a client costs. Used with the lock held, as it is not safe otherwise."""


def client(
    service: str,
    *,
    connect_timeout: float = CONNECT_TIMEOUT,
    read_timeout: float | None = None,
    total_max_attempts: int = TOTAL_MAX_ATTEMPTS,
) -> Any:
    """This process's client of `service` ("sqs", "sns", "sesv2", …); timeouts in seconds.

    `total_max_attempts` counts the first try: whoever keeps a log of attempts passes 1.
    """
    if read_timeout is None:
        read_timeout = READ_TIMEOUTS.get(service, READ_TIMEOUT)
    key = _Key(service, connect_timeout, read_timeout, total_max_attempts)
    known, until = _clients.get(key, _NONE)
    if time.monotonic() < until:
        return known
    with _lock:
        known, until = _clients.get(key, _NONE)
        if time.monotonic() >= until:
            # Before: found only now, they would be the next client's and not this one's.
            until = math.inf if _finds_credentials() else time.monotonic() + ASK_AGAIN
            known = _make(key)
            _clients[key] = known, until
        return known


def forget() -> None:
    """Drop every client: credentials or endpoints in the environment have changed."""
    global _session
    with _lock:
        _clients.clear()
        _session = None


def _finds_credentials() -> bool:
    """Raises what botocore does where it knows whom to ask, and is not answered."""
    return _shared().get_credentials() is not None


def _shared() -> boto3.session.Session:
    global _session
    if _session is None:
        core = get_session()
        core.register_component("response_parser_factory", StatusFirst())
        _session = boto3.session.Session(botocore_session=core)
    return _session


def _make(key: _Key) -> Any:
    made = _shared().client(
        key.service,
        config=Config(
            connect_timeout=key.connect_timeout,
            read_timeout=key.read_timeout,
            retries={"mode": "standard", "total_max_attempts": key.total_max_attempts},
            max_pool_connections=MAX_POOL_CONNECTIONS,
            tcp_keepalive=True,
            user_agent=USER_AGENT,
            parameter_validation=key.service not in UNCHECKED,
        ),
    )
    made.meta.events.register("before-call", _carry_trace)
    _make_ready(made)
    return made


def _carry_trace(params: dict[str, Any], **_: Any) -> None:
    """As the other providers are told; it is signed like the rest of the request."""
    params["headers"].update(tracing.carried())


def _make_ready(made: Any) -> None:
    """Have botocore do now what it puts off until the first call: find the credentials, read the
    rules of endpoints, make the signer. A tenth of a second by which a send that has its turn
    would be late. To presign a call does all of it, and sends nothing.
    """
    for method, operation in made.meta.method_to_api_mapping.items():
        asked = made.meta.service_model.operation_model(operation).input_shape
        reads = method.startswith(("list_", "get_", "describe_"))
        if reads and (asked is None or not asked.required_members):
            with unheard():  # no credentials, say
                made.generate_presigned_url(method)
            return


def _start_anew_in_child() -> None:
    """A forked child must not use its parent's sockets, nor wait for a lock nobody will free."""
    global _lock, _session
    _lock, _session = threading.Lock(), None
    _clients.clear()


os.register_at_fork(after_in_child=_start_anew_in_child)
