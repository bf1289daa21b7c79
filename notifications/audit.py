"""Audit: who did what, when, why, on what, and what it was before and after.

The verbs themselves write it, in their own transaction, so that no door to one can forget it:

    audit.record("queue.pause", by="ada", reason="the provider is away", target="queue email")

An entry is never changed and never deleted: the database refuses. Whoever is named on it may be
deleted, the name stays. So an entry names no customer: who is meant is kept as a keyed hash
(`Person`), which is found by whoever can name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Model, Q

from notifications.models import AuditEntry
from notifications.recipients import PHONE, address_hash, searched_hashes
from notifications.redaction import redact

Door = AuditEntry.Door

PERSON = "person"
"""The kind of target that a `Person` is; any other is a model's name, or none."""

REVEAL = "personal_data.reveal"
"""Of a look at what is masked, by whatever door."""

NAMED = 100
"""Ids that one entry names, of the many things that one call has moved."""

MOST = 2**31 - 1
"""What the column takes; of an audience of more people, as many."""

_door: ContextVar[Door] = ContextVar("door", default=Door.PROCESS)
_covered: ContextVar[bool] = ContextVar("covered", default=False)


@dataclass(frozen=True)
class Person:
    """A customer, by their reference ("customer/42") or an address. Kept as a keyed hash."""

    name: str

    @property
    def hashed(self) -> str:
        spelled = self.name.strip()
        return address_hash("+" + re.sub(r"\D", "", spelled) if PHONE.match(spelled) else spelled)


@contextmanager
def through(door: Door) -> Iterator[None]:
    """What is recorded within came through this door."""
    token = _door.set(door)
    try:
        yield
    finally:
        _door.reset(token)


def door() -> Door:
    """Through which what is done now came: for what goes on when the caller has left."""
    return _door.get()


@contextmanager
def covered() -> Iterator[None]:
    """What is done within is told by an entry that stands already: a job's, of all its items."""
    token = _covered.set(True)
    try:
        yield
    finally:
        _covered.reset(token)


def record(
    action: str,
    *,
    by: str,
    target: Model | Person | str,
    reason: str = "",
    subject: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    count: int = 1,
    using: str = "",
) -> None:
    """One entry, in the caller's transaction, on the database `using` (that of the entries).

    action: "<what>.<verb>", the verb as its command has it ("dead_letter.discard"). target: a row,
    a person, or what is meant in words. subject: "order/17", where it concerns one; of a row its
    own. before, after: what changed, as JSON takes it, without addresses. count: of how many
    things.
    """
    if _covered.get():
        return
    match target:
        case Model():
            subject = subject or str(getattr(target, "subject", ""))
            kind, name = target._meta.model_name or "", str(target.pk)
        case Person():
            kind, name = PERSON, target.hashed
        case _:
            kind, name = "", redact(target)
    AuditEntry.objects.using(using or router.db_for_write(AuditEntry)).create(
        actor=by[:150],
        door=_door.get(),
        action=action,
        target_kind=kind,
        target=name[:255],
        subject=subject[:255],
        reason=redact(reason)[:255],
        before=dict(before or {}),
        after=dict(after or {}),
        count=min(count, MOST),
    )


def record_many(
    action: str,
    moved: Sequence[tuple[Any, str]],
    *,
    of: type[Model],
    by: str,
    reason: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """One entry about all the rows that one call has moved: their keys, each with its subject.

    Of one row that is the target. Nothing moved, nothing recorded.
    """
    if not moved:
        return
    about: dict[str, Any] = {"by": by, "reason": reason, "before": before}
    if len(moved) == 1:
        [(pk, subject)] = moved
        record(action, target=of(pk=pk), subject=subject, after=after, **about)
        return
    first = [str(pk) for pk, _ in moved[:NAMED]]
    target = str(of._meta.verbose_name_plural)
    record(action, target=target, after={**after, "ids": first}, count=len(moved), **about)


def about(term: str) -> Q:
    """The entries whose target is this: a key, the words, or a person by reference or address."""
    return Q(target__in={term, *searched_hashes(term)})
