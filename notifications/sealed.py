"""Sealed: texts that a table keeps and nobody else may read: addresses, secrets, what was said.

`sealed:<key version>:<base64url>` of a random nonce of 12 octets and the AES-256-GCM ciphertext
(NIST SP 800-38D; the nonce is random, so a key is good for 2^32 texts by its section 8.3: raise the
version long before). The key is made of NOTIFICATIONS["ENCRYPTION_KEYS"][version] by HKDF-SHA256
(RFC 5869): any long secret will do. The highest version writes, all of them read.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from notifications.conf import conf
from notifications.exceptions import Unreadable

PREFIX = "sealed:"
_NONCE = 12
_PURPOSE = b"notifications.sealed"


def seal(text: str) -> str:
    """The text, readable only with its key; an empty one stays empty. Each time another."""
    if not text:
        return ""
    version = newest()
    nonce = os.urandom(_NONCE)
    sealed = nonce + _cipher(version).encrypt(nonce, text.encode(), None)
    return f"{PREFIX}{version}:{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str) -> str:
    """What was sealed. A text that never was, from before there were keys, is given back.

    Raises Unreadable: its key is gone, or somebody changed it.
    """
    if not sealed.startswith(PREFIX):
        return sealed
    version, _, body = sealed.removeprefix(PREFIX).partition(":")
    try:
        raw = base64.b64decode(body, altchars=b"-_", validate=True)
        return _cipher(int(version)).decrypt(raw[:_NONCE], raw[_NONCE:], None).decode()
    except KeyError:
        raise Unreadable(
            f'sealed by key {version}, which NOTIFICATIONS["ENCRYPTION_KEYS"] does not have'
        ) from None
    except (InvalidTag, ValueError, binascii.Error):
        raise Unreadable(
            f"sealed by key {version[:10]}, and not as this key seals: it was changed, or the "
            "secret of that version was"
        ) from None


def newest() -> int:
    """The version of the key that writes. Raises ImproperlyConfigured where there is none."""
    keys = conf().encryption_keys
    if not keys:
        raise ImproperlyConfigured(
            'NOTIFICATIONS["ENCRYPTION_KEYS"] has no key: give one, as {1: "a long secret"}.'
        )
    return max(keys)


@cache
def _cipher(version: int) -> AESGCM:
    secret = conf().encryption_keys[version].encode()
    if not secret:
        raise ImproperlyConfigured(f'NOTIFICATIONS["ENCRYPTION_KEYS"][{version}] is empty.')
    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        _cipher.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.sealed")
