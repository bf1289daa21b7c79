"""boto3 clients: one per process, service and timeouts, shared by its threads.

botocore finds credentials, region and endpoints by itself (AWS_ENDPOINT_URL and its
per-service variants point everything at the embedded parts).
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

CONNECT_TIMEOUT = 3.0
READ_TIMEOUTS = {"sqs": 30.0}
"""Seconds. SQS must outlast its 20 s long poll, or an idle queue looks like a dead one."""
READ_TIMEOUT = 10.0
TOTAL_MAX_ATTEMPTS = 3
MAX_POOL_CONNECTIONS = 64
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
_clients: dict[_Key, Any] = {}


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
    known = _clients.get(key)
    if known is not None:
        return known
    with _lock:
        if key not in _clients:
            _clients[key] = _make(key)
        return _clients[key]


def forget() -> None:
    """Drop every client: credentials or endpoints in the environment have changed."""
    with _lock:
        _clients.clear()


def _make(key: _Key) -> Any:
    # A session of its own: boto3's default session is not safe to share between threads.
    made = boto3.session.Session().client(
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
    _make_ready(made)
    return made


def _make_ready(made: Any) -> None:
    """Have botocore do now what it puts off until the first call: find the credentials, read the
    rules of endpoints, make the signer. A tenth of a second by which a send that has its turn
    would be late. To presign a call does all of it, and sends nothing.
    """
    for method, operation in made.meta.method_to_api_mapping.items():
        asked = made.meta.service_model.operation_model(operation).input_shape
        reads = method.startswith(("list_", "get_", "describe_"))
        if reads and (asked is None or not asked.required_members):
            with suppress(Exception):  # no credentials, say: the first call says it
                made.generate_presigned_url(method)
            return


def _start_anew_in_child() -> None:
    """A forked child must not use its parent's sockets, nor wait for a lock nobody will free."""
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_start_anew_in_child)
