"""What an operator types into a search box, turned into equalities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from notifications import events, sealed
from notifications.conf import conf
from notifications.models import Delivery
from notifications.recipients import is_address, searched_hashes

MAX_FOLLOWED = 500
"""Rows that one search follows from one table, or one kind of row, to another."""

LONGEST = 120
"""Characters of a provider's message id."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_DIALLED = re.compile(r"\(?0[\d\s()./-]{6,}\Z")
"""A phone number as it is dialled at home, or with 00: no number of a row begins so."""


def identifier(term: str) -> UUID | None:
    """The UUID in `term`, also from an attempt's tag (`<delivery id>.<generation>.<attempt>`)."""
    try:
        return UUID(term.partition(".")[0])
    except ValueError:
        return None


def number(term: str) -> int | None:
    """The row number in `term`, if it can be one."""
    return int(term) if term.isascii() and term.isdigit() and len(term) < 19 else None


def subjects(term: str) -> set[str]:
    """`order/123` as it stands; `123` or `#123` as the subject of every registered kind."""
    if "/" in term:
        return {term}
    term = term.removeprefix("#") or term
    patterns = {kind.subject for kind in events.all_event_types()}
    return {term} | {
        _PLACEHOLDER.sub(lambda _: term, pattern)
        for pattern in patterns
        if len(_PLACEHOLDER.findall(pattern)) == 1
    }


def reaches(term: str) -> bool:
    """Whether somebody is reached there: then it must not stand in a page's address, of which logs,
    proxies and histories keep copies."""
    return is_address(term) or _DIALLED.match(term) is not None


def in_address(term: str) -> str:
    """What stands for it in a page's address."""
    return sealed.seal(term) if reaches(term) and conf().encryption_keys else term


def from_address(given: str) -> str:
    """What was typed. Raises Unreadable."""
    return sealed.unseal(given)


def deliveries(term: str) -> list[str]:
    """What `notifications.resend.named` finds the deliveries by that `term` may mean.

    An address goes no further than here: of one that is typed, or that somebody was told at, or
    that is too long to be anything but a device's token, there is only the keyed hash.
    """
    hashes = sorted(addresses(term))
    found = [f"address_hash:{each}" for each in hashes]
    if is_address(term) or len(term) > LONGEST or _is_known(hashes):
        return found
    found += [f"subject:{each}" for each in sorted(subjects(term))]
    found += [f"person:{term}", f"provider_message_id:{term}"]
    if known := identifier(term):
        found += [f"delivery:{known}", f"event:{known}"]
    return found


def _is_known(hashes: Iterable[str]) -> bool:
    return Delivery.objects.filter(address_hash__in=hashes).exists()


def addresses(term: str) -> set[str]:
    """The keyed hashes that deliveries to this address carry; the address goes no further."""
    return searched_hashes(term)
