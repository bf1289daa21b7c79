"""`manage.py audit`: who did what, when, why and on what, the latest first."""

from __future__ import annotations

import argparse
import json
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from notifications import audit
from notifications.filters import moment
from notifications.management.verbs import PlainCommand, local_moment
from notifications.models import AuditEntry

LIMIT, MOST = 50, 1000


class Command(PlainCommand):
    help = (
        "List what was done, by whom, why, on what, and what it was before and after. It is never "
        "changed and never deleted, whatever becomes of the user."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", default="", help="exactly this user")
        parser.add_argument("--action", default="", help="dead_letter.discard; dead_letter. is all")
        parser.add_argument(
            "--target",
            default="",
            help='a row\'s number or id, "queue email", a customer: customer/42, or their address',
        )
        parser.add_argument("--subject", default="", help="an order: order/17")
        parser.add_argument("--door", default="", choices=["", *AuditEntry.Door.values])
        parser.add_argument("--since", type=_moment, help="not before: 2026-11-20T14:00, or 2h")
        parser.add_argument("--until", type=_moment, help="before this time")
        parser.add_argument("--limit", type=_limit, default=LIMIT, help=f"at most {MOST}")
        parser.add_argument("--after", type=_number, help="go on after the entry of this number")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, limit: int, json: bool, **options: Any) -> None:
        try:
            rows = list(_matching(**options).order_by("-id")[: limit + 1])
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        following = rows[limit - 1].pk if len(rows) > limit else None
        if json:
            self._json({"entries": [_row(each) for each in rows[:limit]], "next": following})
            return
        for entry in rows[:limit]:
            self.stdout.write(_line(entry))
        if following:
            self.stdout.write(f"There are more: --after {following}")
        elif not rows:
            self.stdout.write("Nothing matches.")

    def _json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder))


def _matching(
    *,
    by: str,
    action: str,
    target: str,
    subject: str,
    door: str,
    since: datetime | None,
    until: datetime | None,
    after: int | None,
    **_: Any,
) -> Any:
    exactly = "action__startswith" if action.endswith(".") else "action"
    given = {
        "actor": by,
        exactly: action,
        "subject": subject,
        "door": door,
        "at__gte": since,
        "at__lt": until,
        "pk__lt": after,
    }
    found = AuditEntry.objects.filter(**{name: value for name, value in given.items() if value})
    return found.filter(audit.about(target)) if target else found


def _row(entry: AuditEntry) -> dict[str, Any]:
    names = ("id", "at", "actor", "door", "action", "target_kind", "target", "subject", "reason")
    return {name: getattr(entry, name) for name in (*names, "before", "after", "count")}


def _line(entry: AuditEntry) -> str:
    target = f"{entry.target_kind} {entry.target}".strip()
    words = [
        str(entry.pk),
        local_moment(entry.at),
        entry.actor or "nobody",
        f"({entry.door})",
        entry.action,
        target,
        entry.subject,
        f"{entry.count} things" if entry.count != 1 else "",
        f": {entry.reason}" if entry.reason else "",
    ]
    line = "  ".join(filter(None, words)).replace("  : ", ": ")
    changes = [
        f"{name} {_said(entry.before.get(name))} → {_said(entry.after.get(name))}"
        for name in dict.fromkeys([*entry.before, *entry.after])
        if entry.before.get(name) != entry.after.get(name)
    ]
    return "\n    ".join([line, *changes])


def _said(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise ArgumentTypeError(f"{text!r} is no entry's number")
    return int(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)
