"""`manage.py dead_letters`: find what was given up on, see why, set it aside or take it back."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.timesince import timesince

from notifications import (
    bodies,
    causes,
    filters,
    keeper,
    known,
    letter_discards,
    retention,
    undertakings,
)
from notifications.aws.errors import AWS_ERRORS, explain
from notifications.exceptions import NotProvisioned
from notifications.letter_discards import Answer
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    read_by,
    up_to,
    whoever,
)
from notifications.models import DeadLetter, Pause
from notifications.models.dead_letter import DeadLetterQuerySet
from notifications.redaction import redact
from notifications.redrive import queues_of

LIMIT, MOST = 50, 1000
FILTERS = ("queue", "event_type", "fingerprint", "reason", "subject", "since", "until")

Row = dict[str, Any]


class Command(VerbCommand):
    help = (
        "Dead letters: list, show and group them, count those that are open, discard or restore "
        "them. Addresses are masked. Without a verb, the newest that are open."
    )
    verbs = ("list", "show", "group", "depth", "discard", "restore")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="dead letters, newest first")
        _add_filters(wanted, state="open")
        wanted.add_argument("--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST}")
        wanted.add_argument("--after", type=_number, help="go on after the one of this id")
        show = listing(verbs, "show", help="one of them: its body, why it is here, what is ahead")
        show.add_argument("id", type=_number)
        show.add_argument("--raw", action="store_true", help="the body's bytes and nothing else")
        group = listing(verbs, "group", help="how many have one cause, the most frequent first")
        _add_filters(group, state="open")
        group.add_argument("--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST}")
        listing(verbs, "depth", help="how many, by consumer: in SQS, and open here")
        for verb, words in (("discard", "set them aside"), ("restore", "open them again")):
            move = listing(verbs, verb, help=words)
            move.add_argument("id", nargs="*", type=_number)
            _add_filters(move)
            add_changing(move, reason="it is kept, with who did it")

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "show":
                self._show(**options)
            case "group":
                self._group(**options)
            case "depth":
                self._depth(**options)
            case "discard":
                self._move(letter_discards.discard, DeadLetter.State.OPEN, "discarded", **options)
            case "restore":
                self._move(letter_discards.restore, DeadLetter.State.DISCARDED, "open", **options)
            case _:
                self._list(**options)

    def _list(self, *, limit: int = LIMIT, after: int | None = None, **options: Any) -> None:
        found = _matching({"state": "open", **options}).order_by("-id").defer("body", "attributes")
        rows = list((found.filter(pk__lt=after) if after else found)[: limit + 1])
        following = rows[limit - 1].pk if len(rows) > limit else None
        rows = rows[:limit]
        if options["json"]:
            self._json({"dead_letters": [_row(letter) for letter in rows], "next": following})
            return
        for letter in rows:
            about = f"{letter.event_type} {letter.subject}".strip() or "-"
            self.stdout.write(
                f"{letter.pk}  {letter.state}  {letter.queue}  {letter.reason}  {about}  "
                f"{_moment(letter.created_at)}"
            )
            if letter.error:
                self.stdout.write(f"    {redact(letter.error)}")
        if following:
            self.stdout.write(f"There are more: --after {following}")
        elif not rows:
            self.stdout.write("Nothing matches.")

    def _show(self, *, id: int, raw: bool, **options: Any) -> None:
        letter = DeadLetter.objects.filter(pk=id).first()
        if letter is None:
            raise CommandError(f"There is no dead letter {id}.")
        body = bytes(letter.body)
        if raw:
            sys.stdout.buffer.write(body)
        elif options["json"]:
            more = {"attributes": _attributes(letter), "body": bodies.readable(body)}
            self._json({**_row(letter), "why": causes.sentence(letter), **_ahead(letter), **more})
        else:
            for line in _lines(letter):
                self.stdout.write(line)
            self.stdout.write(bodies.readable(body))

    def _group(self, *, limit: int, **options: Any) -> None:
        groups = _matching(options).groups(limit)
        examples = DeadLetter.objects.defer("body").in_bulk([each["example"] for each in groups])
        rows = [{**each, **_cause(examples[each["example"]])} for each in groups]
        if options["json"]:
            self._json({"groups": rows})
            return
        for row in rows:
            self.stdout.write(
                f"{row['count']}  {row['fingerprint'] or '-'}  {row['reason']}  "
                f"{row['error_class']}  {_moment(row['first_seen_at'])} to "
                f"{_moment(row['last_seen_at'])}, as {row['example']} on {row['queue']}"
            )
            if row["error"]:
                self.stdout.write(f"    {row['error']}")
        if not rows:
            self.stdout.write("Nothing matches.")

    def _depth(self, **options: Any) -> None:
        try:
            depths = keeper.depths()
        except AWS_ERRORS as error:
            raise CommandError(explain(error)) from None
        except NotProvisioned as error:
            raise CommandError(error.message) from None
        if options["json"]:
            rows = [{**vars(depth), "total": depth.total} for depth in depths]
            self._json({"depths": rows, "total": sum(depth.total for depth in depths)})
            return
        width = max((len(depth.consumer) for depth in depths), default=0)
        for depth in depths:
            line = f"  {depth.consumer:<{width}}  {depth.in_sqs} in SQS, {depth.open} open here"
            self.stdout.write(self.style.WARNING(line) if depth.total else line)

    def _move(
        self,
        move: Callable[..., list[Answer]],
        legal: DeadLetter.State,
        to: str,
        *,
        id: list[int],
        by: str,
        reason: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        options.pop("state", None)
        given = [name for name in FILTERS if options.get(name)]
        if bool(id) == bool(given):
            raise CommandError(
                "Name dead letters by their ids, or else by what they have in common."
            )
        ids = id or list(_matching({**options, "state": legal}).values_list("pk", flat=True))
        answers = move(ids, by=whoever(by), reason=reason, dry_run=dry_run)
        left = [answer for answer in answers if answer.why_not]
        moved = len(answers) - len(left)
        if options["json"]:
            alone = {answer.letter_id: answer.why_not for answer in left}
            self._json({"moved": moved, "left_alone": alone, "dry_run": dry_run})
        else:
            for answer in left:
                line = f"{answer.letter_id}  left alone: {answer.why_not}"
                self.stdout.write(self.style.WARNING(line))
            done = "would be" if dry_run else "is now" if moved == 1 else "are now"
            self.stdout.write(f"{moved} {done} {to}")
        if id and left:
            sys.exit(1)

    def _json(self, value: Row) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder))


def _add_filters(parser: ArgumentParser, *, state: str = "") -> None:
    text = read_by(undertakings.text)
    parser.add_argument(
        "--queue", type=text, help="of this queue: email-bulk; email: all of that consumer"
    )
    parser.add_argument("--event-type", type=text, help="order.created")
    parser.add_argument("--fingerprint", type=text, help="failures of this one cause")
    parser.add_argument("--subject", type=text, help='about this: "order/1"')
    parser.add_argument("--since", type=_when, help="kept here since: 2026-11-20T10:00, or 2h")
    parser.add_argument("--until", type=_when, help="kept here before: 2026-11-20T11:00")
    if state:
        parser.add_argument(
            "--reason", type=text, help="given up for this: not_an_event, poison, …"
        )
        states = [*DeadLetter.State.values, "all"]
        parser.add_argument("--state", choices=states, default=state, help="(%(default)s)")


def _matching(options: Row) -> DeadLetterQuerySet:
    wanted: Row = {name: options.get(name) or "" for name in (*FILTERS, "state")}
    known.insist(Pause.Kind.QUEUE, [wanted["queue"]])
    known.insist(Pause.Kind.EVENT_TYPE, [wanted["event_type"]])
    wanted["queues"] = queues_of(filter(None, [wanted.pop("queue")]))  # as `redrive` means them
    if wanted["state"] == "all":
        wanted["state"] = ""
    return DeadLetter.objects.matching(**wanted)


def _row(letter: DeadLetter) -> Row:
    return {
        "id": letter.pk,
        "state": letter.state,
        "queue": letter.queue,
        **_cause(letter),
        "fingerprint": letter.fingerprint,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "subject": letter.subject,
        "message_id": letter.message_id,
        "generation": letter.generation,
        "first_seen_at": letter.first_seen_at,
        "last_seen_at": letter.last_seen_at,
        "created_at": letter.created_at,
        "changed_by": letter.changed_by,
        "changed_at": letter.changed_at,
        "change_reason": letter.change_reason,
    }


def _cause(letter: DeadLetter) -> Row:
    return {
        "queue": letter.queue,
        "reason": letter.reason,
        "error_class": letter.error_class,
        "error": redact(letter.error),
    }


def _attributes(letter: DeadLetter) -> dict[str, str]:
    return {
        name: redact(value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(letter.attributes.items())
    }


def _ahead(letter: DeadLetter) -> Row:
    return {
        "deleted_at": retention.deleted_at(letter),
        "redrivable_until": retention.redrivable_until(letter),
    }


def _lines(letter: DeadLetter) -> Iterator[str]:
    """What is known about it, above its body."""
    yield f"{letter.pk}  {letter.state}  on {letter.queue}, message {letter.message_id}"
    if letter.event_type:
        event = f"{letter.event_type} {letter.subject}, event {letter.event_id or 'without an id'}"
        yield f"what        {event}, generation {letter.generation}"
    yield f"why         {letter.reason}: {causes.sentence(letter)}"
    if letter.error_class or letter.error:
        yield f"error       {letter.error_class} {redact(letter.error)}".rstrip()
    tried = "1 attempt" if letter.attempts == 1 else f"{letter.attempts} attempts"
    yield f"cause       {letter.fingerprint or '-'}, after {tried}"
    seen = f"first {_moment(letter.first_seen_at)}, last {_moment(letter.last_seen_at)}"
    yield f"seen        {seen}, kept here since {_moment(letter.created_at)}"
    if letter.changed_at:
        said = f"by {letter.changed_by} at {_moment(letter.changed_at)}: {letter.change_reason}"
        yield f"{letter.state:<12}{said}"
    yield f"ahead       {_countdown(letter)}"
    for name, text in _attributes(letter).items():
        yield f"attribute   {name}: {bodies.printable(text)}"
    yield ""


def _countdown(letter: DeadLetter) -> str:
    until = retention.redrivable_until(letter)
    redrive = (
        f"may be redriven {_until(until)}" if until > timezone.now() else "is too old to redrive"
    )
    over = retention.deleted_at(letter)
    kept = f"is kept {_until(over)}" if over else "is kept for as long as it is open"
    return f"{redrive}; {kept}"


def _until(moment: datetime) -> str:
    now = timezone.now()
    if moment <= now:
        return "until the next sweep"
    return f"until {_moment(moment)}, for {timesince(now, moment, depth=1)}"


def _moment(when: datetime | None) -> str:
    return local_moment(when) if when else "-"


def _when(text: str) -> datetime:
    try:
        return filters.moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise ArgumentTypeError(f"{text!r} is no dead letter's id")
    return int(text)
