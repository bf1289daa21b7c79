"""What an operator types into a search box, turned into equalities."""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import Q

from notifications import events
from notifications.recipients import searched_hashes

MAX_FOLLOWED = 500
"""Rows that one search follows from one table, or one kind of row, to another."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


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


def told(reference: str) -> Q:
    """The deliveries to this person, with those to their devices ("customer/42/device/7")."""
    found = Q(recipient=reference)
    return found | Q(recipient__startswith=f"{reference}/") if "/" in reference else found


def addresses(term: str) -> set[str]:
    """The keyed hashes that deliveries to this address carry; the address goes no further."""
    return searched_hashes(term)
