"""Signatures of the providers that call us: whether a call is theirs, told in constant time.

Both functions return what was signed, by which a call is known again, or None where no secret
fits. Every secret is tried, whichever fits, and each comparison takes as long as any other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit


def signed_by_meta(body: bytes, header: str, secrets: Iterable[str]) -> bytes | None:
    """`X-Hub-Signature-256`: HMAC-SHA256 of the body by the app's secret, in hex.

    (Meta for Developers, Webhooks, "Validating payloads".)
    """
    computed = (
        "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        for secret in secrets
    )
    return body if is_one_of(header, computed) else None


def signed_by_twilio(
    url: str, parameters: Mapping[str, Sequence[str]], header: str, secrets: Iterable[str]
) -> bytes | None:
    """`X-Twilio-Signature`: HMAC-SHA1 of the URL and the sorted parameters, in base64.

    url: as the provider was given it, with its query. It may have signed it with the port or
    without. (Twilio, "Security", "Validating requests".)
    """
    fields = "".join(
        name + value for name in sorted(parameters) for value in sorted(set(parameters[name]))
    )
    keys = [secret.encode() for secret in secrets]
    found = None
    for spelled in _with_and_without_port(url):
        text = (spelled + fields).encode()
        computed = (
            base64.b64encode(hmac.new(key, text, hashlib.sha1).digest()).decode() for key in keys
        )
        if is_one_of(header, computed):
            found = text
    return found


def is_one_of(said: str, secrets: Iterable[str]) -> bool:
    """Whether this is one of the secrets, or a signature made with one."""
    matches = [hmac.compare_digest(said.encode(), secret.encode()) for secret in secrets]
    return any(matches)


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return [url, *(_at(parts, place) for place in (host, f"{host}:{port}"))]


def _at(parts: SplitResult, place: str) -> str:
    return parts._replace(netloc=place).geturl()
