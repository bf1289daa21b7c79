"""One HTTP request to an address that was chosen before, and what comes back, within bounds.

A request is its own connection, to one of the given addresses and no other; the name is only what
the certificate and the Host header say. No proxy, no redirect, no cookie, no second try. It has an
end: whoever answers byte by byte gets no more time than who does not answer.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, cast

from notifications.channels.bounded_socket import MOST_READ, BoundedSocket, Deadline
from notifications.channels.public_address import Address, Target
from notifications.exceptions import OutcomeUnknown, TransientError


@dataclass(frozen=True)
class Answer:
    """body: what was read of it. headers: found without regard to case."""

    status: int
    headers: Message[str, str]
    body: bytes = field(repr=False)


def post(
    target: Target,
    addresses: Sequence[Address],
    *,
    body: bytes,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    connecting: Deadline,
    read_timeout: float,
) -> Answer:
    """POST it. Raises TransientError when it cannot have been written, OutcomeUnknown when it may.

    tls: None for plain HTTP. connecting: until when there must be a connection; read_timeout:
        seconds from then on, in all.
    """
    with _connected(target, addresses, tls, connecting) as connection:
        return exchange(target, connection, body, headers, Deadline(read_timeout))


def _connected(
    target: Target, addresses: Sequence[Address], tls: ssl.SSLContext | None, deadline: Deadline
) -> socket.socket:
    """To the first of the addresses that answers; each is given its share of the time."""
    for index, address in enumerate(addresses):
        try:
            share = deadline.left() / (len(addresses) - index)
            plain = socket.create_connection((str(address), target.port), share)
        except OSError:
            continue
        if tls is None:
            return plain
        try:
            plain.settimeout(deadline.left())
            return tls.wrap_socket(plain, server_hostname=target.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise TransientError(
                f"The endpoint's certificate is not good: {error.verify_message}.",
                "certificate_refused",
            ) from None
        except (OSError, ValueError):
            plain.close()
    raise TransientError("The endpoint cannot be reached.", "not_connected")


def exchange(
    target: Target,
    connection: socket.socket,
    body: bytes,
    headers: Mapping[str, str],
    deadline: Deadline,
) -> Answer:
    """Over a connection that is there. Raises OutcomeUnknown."""
    request = http.client.HTTPConnection(target.authority)
    request.auto_open = 0  # never a connection of its own
    request.sock = cast(Any, _LeftOpen(connection, deadline))
    try:
        request.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": target.authority, **headers}.items():
            request.putheader(name, value)
        request.putheader("Content-Length", str(len(body)))
        request.putheader("Connection", "close")
        request.endheaders(body)
        answer = request.getresponse()
    except TimeoutError:
        raise OutcomeUnknown("The endpoint did not answer in time.", "read_timeout") from None
    except (OSError, http.client.HTTPException):
        raise OutcomeUnknown(
            "The connection ended before the answer came.", "connection_lost"
        ) from None
    return Answer(answer.status, answer.headers, _body(answer))


def _body(answer: http.client.HTTPResponse) -> bytes:
    """What comes of it in time. The status says what became of the event, and that is here."""
    read = io.BytesIO()
    with suppress(OSError, http.client.HTTPException):
        while part := answer.read1(MOST_READ):
            read.write(part)
    return read.getvalue()


class _LeftOpen(BoundedSocket):
    def close(self) -> None:
        """http.client closes it before the body is read; `post` closes the connection."""
