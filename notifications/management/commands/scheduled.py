"""`manage.py scheduled`: which events are to be recorded later; call one off, or record it now."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications import schedule, timeline
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    whoever,
)
from notifications.models import ScheduledEvent

State = ScheduledEvent.State

LIMIT, MOST = 20, 1000

_MOVES: dict[str, tuple[Callable[..., str], str, str]] = {
    "call-off": (schedule.call_off_one, "called off", "it is never recorded"),
    "now": (schedule.bring_forward, "due now", "a relay records it at once, also one that failed"),
}


class Command(VerbCommand):
    help = (
        "List the events that are to be recorded later, the next one due first; call one off, or "
        "have it recorded now. Without a verb, the list."
    )
    verbs = ("list", *_MOVES)

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="scheduled events, the next one due first")
        wanted.add_argument("--state", choices=State.values, help="in this state (waiting)")
        wanted.add_argument("--subject", help='about this subject: "order/17", 17')
        wanted.add_argument("--event-type", help="of this type")
        wanted.add_argument(
            "--limit", type=_limit, default=LIMIT, help=f"at most {MOST} (%(default)s)"
        )
        for verb, (_, _, help) in _MOVES.items():
            parser = verbs.add_parser(verb, help=help)
            parser.add_argument("number", type=_number, help="of the scheduled event")
            add_changing(parser, reason="kept in the audit")

    def do(self, verb: str, **options: Any) -> None:
        if verb == "list":
            self._list(**options)
        else:
            self._move(verb, **options)

    def _list(
        self,
        *,
        json: bool,
        state: str | None = None,
        subject: str | None = None,
        event_type: str | None = None,
        limit: int = LIMIT,
        **_options: Any,
    ) -> None:
        state = state or State.WAITING
        wanted: dict[str, Any] = {"state": state}
        if subject is not None:
            wanted["subject"] = timeline.subject_of(subject)
        if event_type is not None:
            wanted["event_type"] = event_type
        order = ("look_at", "id") if state == State.WAITING else ("-id",)
        found = ScheduledEvent.objects.filter(**wanted).order_by(*order)[:limit]
        if json:
            self._print({"scheduled": [_as_json(row) for row in found]})
            return
        for row in found:
            key = f" ({row.key})" if row.key else ""
            error = f": {row.error}" if row.error else ""
            due = local_moment(row.due_at)
            self.stdout.write(f"{row.pk}  {due}  {row}{key}  {row.get_state_display()}{error}")
        if not found:
            self.stdout.write(f"No scheduled event is {State(state).label}.")

    def _move(
        self, verb: str, *, number: int, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        move, done, _ = _MOVES[verb]
        if dry_run:
            row = ScheduledEvent.objects.filter(pk=number).first()
            refused = schedule.why_not(row)
        else:
            refused = move(number, by=whoever(by), reason=reason)
        if refused:
            raise CommandError(f"Scheduled event {number}: {refused}.")
        said = f"would be {done}; nothing was done" if dry_run else f"is {done}"
        self.stdout.write(f"scheduled event {number} {said}")

    def _print(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, cls=DjangoJSONEncoder))


def _as_json(row: ScheduledEvent) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event_type": row.event_type,
        "version": row.version,
        "subject": row.subject,
        "key": row.key,
        "data": row.data,
        "state": row.state,
        "due_at": row.due_at,
        "error": row.error,
        "created_at": row.created_at,
        "over_at": row.over_at,
    }


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**63:
        raise ArgumentTypeError(f"{text!r} is no number of a scheduled event")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)
