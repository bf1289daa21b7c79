"""The signature of a webhook, as Standard Webhooks has it (version 1.0.0, Symmetric signatures).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def headers(
    secrets: Iterable[str], *, identity: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers: one signature for each of `secrets`, of which the reader needs one.

    identity: the same for every attempt, by which a reader knows what it has taken already.
    timestamp: Unix seconds of this attempt.
    """
    signed = f"{identity}.{timestamp}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`. Raises ValueError, which does not quote it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(
            f"a webhook's secret is {PREFIX} and the base64 of {SHORTEST} to {LONGEST} bytes"
        )
    return key
