"""The secret by which a client is known. Only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "ops_"
"""So that a token found in a log or a repository says what it opens."""
_BYTES = 32
LONGEST = 128
"""Characters that are looked at; ours have 47."""


def new_token() -> str:
    """256 random bits: too many to guess, so that no slow hash is needed to protect them."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """SHA-256 in hex. Looked up by equality: how long that takes says something of the hash only,
    from which no token can be worked out."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
