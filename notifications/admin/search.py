"""What an operator types into a search box, turned into equalities."""

from __future__ import annotations

import re
from uuid import UUID

from notifications import events
from notifications.recipients import address_hashes

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_PHONE = re.compile(r"\+[\d\s()./-]{6,}\Z")


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
    """`order/123` as it stands; `123` as the subject of every registered kind ("order/123")."""
    if "/" in term:
        return {term}
    patterns = {kind.subject for kind in events.all_event_types()}
    return {term} | {
        _PLACEHOLDER.sub(lambda _: term, pattern)
        for pattern in patterns
        if len(_PLACEHOLDER.findall(pattern)) == 1
    }


def addresses(term: str) -> set[str]:
    """The keyed hashes that deliveries to this address carry; the address goes no further."""
    spelled = {term}
    if _PHONE.match(term):
        spelled.add("+" + re.sub(r"\D", "", term))
    return {found for address in spelled for found in address_hashes(address)}
