"""`manage.py scheduled`: the events that are to be recorded later; call them off, or record now."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from notifications import known, schedule, timeline, undertakings
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    read_by,
    up_to,
    whoever,
)
from notifications.models import Pause, ScheduledEvent
from notifications.redaction import redact

State = ScheduledEvent.State

LIMIT, MOST = 20, 1000

FILTERS = ("state", "subject", "event_type")

_MOVES: dict[str, tuple[Callable[..., str], str, str]] = {
    "call-off": (schedule.call_off_one, "called off", "they are never recorded"),
    "now": (schedule.bring_forward, "due", "a relay records them at once, also what could not be"),
}


class Command(VerbCommand):
    help = (
        "List the events that are to be recorded later, the next one due first; call them off, or "
        "have them recorded now. Without a verb, the list."
    )
    verbs = ("list", *_MOVES)

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="scheduled events, the next one due first")
        _add_filters(wanted, State.values, "in this state (waiting; of a subject: in any)")
        wanted.add_argument(
            "--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST} (%(default)s)"
        )
        for verb, (_, _, help) in _MOVES.items():
            parser = verbs.add_parser(verb, help=help)
            parser.add_argument("number", nargs="*", type=_number, help="or all that is:")
            _add_filters(parser, sorted(ScheduledEvent.OPEN), "in this state")
            add_changing(parser, reason="kept in the audit")

    def do(self, verb: str, **options: Any) -> None:
        if verb == "list":
            self._list(**options)
        else:
            self._move(verb, **options)

    def _list(self, *, json: bool, limit: int = LIMIT, **options: Any) -> None:
        state = options.get("state") or ("" if options.get("subject") else State.WAITING)
        found = _matching({**options, "state": state})
        order = ("look_at", "id") if state == State.WAITING else ("-id",)
        rows = list(found.order_by(*order)[: limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        if json:
            self._print({"scheduled": [_as_json(row) for row in rows], "more": more})
            return
        for row in rows:
            key = f" ({row.key})" if row.key else ""
            error = f": {redact(row.error)}" if row.error else ""
            due = local_moment(row.due_at)
            self.stdout.write(f"{row.pk}  {due}  {row}{key}  {row.get_state_display()}{error}")
        if more:
            self.stdout.write(f"There are more: --limit, up to {MOST}")
        elif not rows:
            self.stdout.write(f"No such event is {State(state).label if state else 'scheduled'}.")

    def _move(
        self,
        verb: str,
        *,
        number: list[int],
        by: str,
        reason: str,
        dry_run: bool,
        json: bool,
        **options: Any,
    ) -> None:
        if bool(number) == any(options.get(name) for name in FILTERS):
            raise CommandError("Name them by their numbers, or else by what they have in common.")
        move, to, _ = _MOVES[verb]
        among = _matching(options).filter(state__in=ScheduledEvent.OPEN).order_by("id")
        numbers = number or list(among.values_list("pk", flat=True))
        left: dict[int, str] = {}
        for each in numbers:
            if dry_run:
                refused = schedule.why_not(ScheduledEvent.objects.filter(pk=each).first())
            else:
                refused = move(each, by=whoever(by), reason=reason)
            if refused:
                left[each] = refused
        moved = len(numbers) - len(left)
        if json:
            self._print({"moved": moved, "left_alone": left, "dry_run": dry_run})
        else:
            for each, refused in left.items():
                self.stdout.write(self.style.WARNING(f"{each}  left alone: {refused}"))
            done = "would be" if dry_run else "is now" if moved == 1 else "are now"
            self.stdout.write(f"{moved} {done} {to}")
        if number and left:
            sys.exit(1)

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
        "error": redact(row.error),
        "created_at": row.created_at,
        "over_at": row.over_at,
    }


def _add_filters(parser: CommandParser, states: Iterable[str], state: str) -> None:
    parser.add_argument("--state", choices=states, help=state)
    text = read_by(undertakings.text)
    parser.add_argument("--subject", type=text, help='about this subject: "order/17", 17')
    parser.add_argument("--event-type", type=text, help="of this type")


def _matching(options: Mapping[str, str | None]) -> QuerySet[ScheduledEvent]:
    wanted = {name: given for name in FILTERS if (given := options.get(name))}
    if subject := wanted.get("subject"):
        wanted["subject"] = timeline.subject_of(subject)
    known.insist(Pause.Kind.EVENT_TYPE, [wanted.get("event_type")])
    return ScheduledEvent.objects.filter(**wanted)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ArgumentTypeError(f"{text[:40]!r} is no number of a scheduled event")
    return int(text)
