"""Proofs: that something was sent to an address, kept without the address.

`proof:<key version>:<HMAC-SHA256>` of the delivery's id and the address, by the key of the address
hashes. Nobody can read it, nor join two of one person; whoever names the delivery and the address
can have it confirmed.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from uuid import UUID

from notifications.conf import conf

PREFIX = "proof:"


def prove(delivery_id: UUID, address: str) -> str:
    """The proof for a delivery's row; empty where there is no address."""
    if not address:
        return ""
    version = max(conf().address_hash_keys)
    return f"{PREFIX}{version}:{_digest(version, delivery_id, address)}"


def confirms(proof: str, delivery_id: UUID, address: str) -> bool:
    """Whether it was sent to this address. False as well once the proof's key is gone."""
    version, _, digest = proof.removeprefix(PREFIX).partition(":")
    if not proof.startswith(PREFIX) or int(version) not in conf().address_hash_keys:
        return False
    return hmac.compare_digest(digest, _digest(int(version), delivery_id, address))


def _digest(version: int, delivery_id: UUID, address: str) -> str:
    key = conf().address_hash_keys[version].encode()
    said = f"{delivery_id}|{address.strip().lower()}"
    return hmac.new(key, said.encode(), sha256).hexdigest()
