"""`manage.py failures`: what fails now, in groups, and what is known of each cause."""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from notifications import failures, known, undertakings
from notifications.failure_counts import Selection
from notifications.failures import By, Group
from notifications.fingerprints import is_fingerprint
from notifications.management.verbs import (
    VerbCommand,
    listing,
    local_moment,
    read_by,
    up_to,
    whoever,
)
from notifications.models import Pause
from notifications.redaction import redact

LIMIT, MOST = 50, 1000


class Command(VerbCommand):
    help = (
        "Open dead letters, failed deliveries and those that stay unknown, in groups, each failure "
        "once; the note of a cause is written and cleared here. `redrive` and `resend` mend a "
        "group by its --fingerprint, `dead_letters discard` sets its letters aside."
    )
    verbs = ("list", "note", "clear")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="the groups, the largest first")
        wanted.add_argument(
            "--by",
            type=By,
            choices=list(By),
            default=By.CAUSE,
            help="what they share (%(default)s)",
        )
        wanted.add_argument("--fingerprint", type=_fingerprint, help="of this one cause")
        text = read_by(undertakings.text)
        wanted.add_argument("--channel", type=text, help="of this channel, or this consumer")
        wanted.add_argument(
            "--provider", type=text, help="deliveries that this provider was asked for"
        )
        wanted.add_argument("--event-type", type=text, help="order.created")
        wanted.add_argument("--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST}")
        note = verbs.add_parser("note", help="write down what is known of a cause, for the next")
        note.add_argument("fingerprint", type=_fingerprint)
        note.add_argument("--text", required=True, type=_text, help="in place of what is there")
        clear = verbs.add_parser("clear", help="forget the note of a cause")
        clear.add_argument("fingerprint", type=_fingerprint)
        for verb in (note, clear):
            _add_by(verb)

    def do(self, verb: str, **options: Any) -> None:
        if verb == "list":
            self._list(**options)
            return
        text = options["text"] if verb == "note" else ""
        failures.write_note(options["fingerprint"], text, by=whoever(options["by"]))
        self.stdout.write("noted" if text else "cleared")

    def _list(self, *, by: By = By.CAUSE, limit: int = LIMIT, **options: Any) -> None:
        names = ("fingerprint", "channel", "provider", "event_type")
        selection = Selection(**{name: options.get(name) for name in names})
        known.insist(Pause.Kind.EVENT_TYPE, [selection.event_type])
        place = selection.channel
        if place and not known.is_known(Pause.Kind.CHANNEL, place):
            known.insist(Pause.Kind.QUEUE, [place])
        found = failures.groups(selection, by=by)
        shown = found.groups[:limit]
        if options["json"]:
            rows = [_row(group) for group in shown]
            whole = {"by": by, "total": found.total, "cut": found.cut, "groups": rows}
            self.stdout.write(json.dumps(whole, cls=DjangoJSONEncoder))
            return
        for group in shown:
            for line in _lines(group, by):
                self.stdout.write(line)
        if not shown:
            self.stdout.write("Nothing fails.")
        elif len(found.groups) > limit or found.cut:
            self.stdout.write("There are more groups than are shown.")


def _lines(group: Group, by: By) -> Iterator[str]:
    reason = failures.reason(group)
    about = (group.channels, group.providers, group.event_types)
    words = [", ".join(sorted(names)) for names in about]
    title = [group.key or "-", reason, *words] if by is By.CAUSE else [group.key or "-"]
    yield f"{group.count}  {'  '.join(filter(None, title))}"
    seen = (group.first_seen_at, group.last_seen_at)
    first, last = (local_moment(each) if each else "-" for each in seen)
    trend = f"{group.last_hour} in the last hour, {group.hour_before} in the one before"
    yield f"    {first} to {last}; {trend}"
    if error := redact(failures.error(group)):
        yield f"    {' '.join(error.split())}"
    if group.note:
        yield f"    note: {group.note.text} ({group.note.by})"
    typed = shlex.quote(group.key)
    if by is By.CAUSE and group.letters:
        named = "dead letter" if group.letters == 1 else "dead letters"
        mend = "redrive" if failures.can_be_redriven(group) else "dead_letters discard"
        yield f"    {group.letters} {named}: manage.py {mend} --fingerprint {typed}"
    if by is By.CAUSE and group.failed:
        resend = f"manage.py resend --state failed --fingerprint {typed}"
        named = "failed delivery" if group.failed == 1 else "failed deliveries"
        yield f"    {group.failed} {named}: {resend}"
    if by is By.CAUSE and group.unknown:
        named = "unknown delivery" if group.unknown == 1 else "unknown deliveries"
        yield f"    {group.unknown} {named}: manage.py deliveries list --state unknown"


def _row(group: Group) -> dict[str, Any]:
    names = ("key", "count", "letters", "failed", "unknown", "last_hour", "hour_before")
    lists = ("fingerprints", "channels", "providers", "event_types")
    return {
        **{name: getattr(group, name) for name in names},
        **{name: sorted(getattr(group, name)) for name in lists},
        "first_seen_at": group.first_seen_at,
        "last_seen_at": group.last_seen_at,
        "reason": failures.reason(group),
        "error": redact(failures.error(group)),
        "note": group.note.text if group.note else "",
    }


def _add_by(parser: ArgumentParser) -> None:
    parser.add_argument("--by", default="", help="who does it (the system's user)")


def _fingerprint(text: str) -> str:
    if not is_fingerprint(text):
        raise ArgumentTypeError(f"{text!r} is no fingerprint; `manage.py failures` lists them")
    return text


def _text(text: str) -> str:
    if not 0 < len(text.strip()) <= failures.LONGEST_NOTE:
        raise ArgumentTypeError(f"give 1 to {failures.LONGEST_NOTE} characters")
    return text
