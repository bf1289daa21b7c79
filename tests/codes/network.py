"""What may happen to any request, whoever the provider is: every adapter's contract
(`test_channel_contract.py`, `test_channel_connections.py`)."""

from __future__ import annotations

from tests.codes.base import Group, Meaning, Row

NETWORK = Group(
    "Any request",
    ("botocore, exceptions", "httpx, Exceptions", "requests, Exceptions", "smtplib"),
    (
        Row(
            "not_connected",
            Meaning.TRANSIENT,
            "no connection, or a certificate that does not hold",
        ),
        Row("read_timeout", Meaning.UNKNOWN, "the request was written, and no answer came"),
        Row("connection_lost", Meaning.UNKNOWN, "the connection ended before the answer"),
    ),
)
