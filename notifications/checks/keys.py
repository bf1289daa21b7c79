"""The keys that addresses are hashed and sealed with."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications.conf import conf

SHORTEST_SECRET = 16
"""Characters: nobody guesses 16 random ones."""


def check_address_hash_keys() -> Iterator[CheckMessage]:
    keys = conf().address_hash_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ADDRESS_HASH_KEYS"] has no key, or an empty one: '
            "deliveries could not be found by address.",
            hint="Give {1: <a long random secret>}; the shop reads the environment's "
            "ADDRESS_HASH_KEY. Keep old versions when you rotate.",
            id="notifications.E003",
        )


def check_encryption_keys() -> Iterator[CheckMessage]:
    keys = conf().encryption_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ENCRYPTION_KEYS"] has no key, or an empty one: '
            "addresses could not be kept.",
            hint="Give {1: a long secret of its own}; the shop reads it from ENCRYPTION_KEY. Keep "
            "old versions when you rotate, until `manage.py reseal` has been run.",
            id="notifications.E022",
        )


def check_guessable_keys() -> Iterator[CheckMessage]:
    """Those that write. With `--deploy` only: on one's own machine there is nobody's address."""
    keys = {
        "ADDRESS_HASH_KEYS": conf().address_hash_keys,
        "ENCRYPTION_KEYS": conf().encryption_keys,
    }
    for name, versions in keys.items():
        newest = max(versions, default=0)
        if newest and len(versions[newest]) < SHORTEST_SECRET:
            yield Error(
                f'NOTIFICATIONS["{name}"][{newest}] has fewer than {SHORTEST_SECRET} characters: '
                "whoever gets hold of the tables could try keys until addresses appear.",
                hint="Give the word that `openssl rand -hex 24` prints: in its place while nothing "
                f"is kept by it, later as version {newest + 1} beside it (docs/operating.md, "
                '"Secrets rotated").',
                id="notifications.E099",
            )
