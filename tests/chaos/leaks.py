"""Do the processes' logs hold an address? They are to hold ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_WORD = re.compile(r"[\w.+-]+@[\w.-]+\w|\+?\d{7,}|[\w:-]{16,}")
"""A mail address, a phone number, a device's token."""


def leaks(logs: Iterable[Path], addresses: Iterable[str]) -> Iterator[str]:
    """Where, in words, and not which one."""
    known = set(map(_plain, addresses))
    for path in logs:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if not known.isdisjoint(map(_plain, _WORD.findall(line))):
                yield f"an address stands in {path.name}, line {number}"


def all_addresses() -> Iterator[str]:
    """The shop's customers', and of their devices."""
    from orders_site.customers.models import Customer, Device

    people = Customer.objects.values_list("email", "phone", "whatsapp")
    tokens = Device.objects.values_list("token", flat=True)
    yield from (each for row in people for each in row if each)
    yield from tokens


def _plain(address: str) -> str:
    """However it is written: a number with its plus or without."""
    return address.removeprefix("+").lower()
