"""Dead letters that nobody will do anything about, and those of them that were wanted after all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import router, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audit
from notifications.models import DeadLetter
from notifications.redaction import redact

CHUNK = 1000
"""Ids of one statement."""

WIPED = _("its body was erased, because somebody in it was forgotten")
"""Why a letter is neither opened again nor redriven: nothing of it is left."""

State = DeadLetter.State


@dataclass(frozen=True)
class Answer:
    """What became of one dead letter that was named. why_not: empty when it was moved."""

    letter_id: int
    was: str
    why_not: str = ""
    subject: str = ""


def discard(ids: Iterable[int], *, by: str, reason: str, dry_run: bool = False) -> list[Answer]:
    """Set aside those of these that are open; one answer for each, in order.

    They are kept for `Retention.dead_letters` days, and may be restored until then. `by` and
    `reason` stand on the row.
    """
    return _move(ids, State.OPEN, State.DISCARDED, by=by, reason=reason, dry_run=dry_run)


def restore(ids: Iterable[int], *, by: str, reason: str, dry_run: bool = False) -> list[Answer]:
    """Open those of these that were discarded and not wiped; one answer for each, in order."""
    return _move(ids, State.DISCARDED, State.OPEN, by=by, reason=reason, dry_run=dry_run)


def _move(
    ids: Iterable[int], legal: State, state: State, *, by: str, reason: str, dry_run: bool
) -> list[Answer]:
    wanted = list(dict.fromkeys(ids))
    chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
    with transaction.atomic(using=router.db_for_write(DeadLetter)):
        answers = [
            answer
            for chunk in chunks
            for answer in _move_some(chunk, legal, state, by=by, reason=reason, dry_run=dry_run)
        ]
        if not dry_run:
            audit.record_many(
                "dead_letter.restore" if state is State.OPEN else "dead_letter.discard",
                [(each.letter_id, each.subject) for each in answers if not each.why_not],
                of=DeadLetter,
                by=by,
                reason=reason,
                before={"state": legal},
                after={"state": state},
            )
    return answers


def _move_some(
    ids: list[int], legal: State, state: State, *, by: str, reason: str, dry_run: bool
) -> list[Answer]:
    letters = DeadLetter.objects.using(router.db_for_write(DeadLetter))
    known = letters.filter(pk__in=ids).values_list("pk", "state", "subject")
    subjects = {pk: subject for pk, _, subject in known}
    states = {pk: state for pk, state, _ in known}
    wiped: set[int] = set()
    if state is State.OPEN:
        wiped.update(letters.filter(pk__in=ids, body=b"").values_list("pk", flat=True))
    if dry_run:
        moved = {pk for pk in ids if states.get(pk) == legal} - wiped
    else:
        moved = letters.move(ids, legal, state, by=by, reason=redact(reason))
    # Race: one that somebody else moved in between is answered with the state it was seen in.
    return [
        Answer(pk, legal, subject=subjects[pk])
        if pk in moved
        else Answer(pk, states.get(pk, ""), _why_not(states, wiped, pk))
        for pk in ids
    ]


def _why_not(states: dict[int, str], wiped: set[int], pk: int) -> str:
    if pk not in states:
        return gettext("there is no such dead letter")
    if pk in wiped:
        return str(WIPED)
    return gettext("it is %(state)s") % {"state": DeadLetter.State(states[pk]).label}
