"""Allow-list: NOTIFICATIONS["ALLOWED_RECIPIENTS"] of an environment that must reach nobody real.

    ("*@shop.example", "+4915112345678", "+1206555*", "hooks.sandbox.example")

None allows everybody, an empty list nobody. Each entry is an address, a device's token or, for an
endpoint, its host; `*` stands for any characters of one address (so for no "@"). Neither case
nor the separators in a phone number make a difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

from notifications.conf import conf

NOT_ALLOWED = "not_allowed_here"
"""The reason why somebody was skipped who is not on the list."""

_ANY = r"[^@\s,;<>]*"
_SEPARATORS = re.compile(r"[\s()./-]")


def allows(address: str) -> bool:
    """Whether this environment may send to `address`."""
    allowed = conf().allowed_recipients
    return allowed is None or _matches(tuple(allowed), address)


def too_wide(allowed: Iterable[str]) -> list[str]:
    """The entries that shut nobody out, or hold nothing."""
    return [entry for entry in allowed if not entry.strip(" *@+.")]


def _matches(allowed: tuple[str, ...], address: str) -> bool:
    return any(_pattern(entry).fullmatch(_plain(address)) for entry in allowed)


def _plain(address: str) -> str:
    """As it is compared: of a URL its host only, for a path could be made to look like anything."""
    address = address.strip().casefold()
    if "://" in address:
        try:
            return urlsplit(address).hostname or ""
        except ValueError:
            return ""
    return _SEPARATORS.sub("", address) if address.startswith("+") else address


@cache
def _pattern(entry: str) -> re.Pattern[str]:
    entry = entry.strip().casefold()
    if entry.startswith("+"):
        entry = _SEPARATORS.sub("", entry)
    return re.compile(_ANY.join(re.escape(part) for part in entry.split("*")))
