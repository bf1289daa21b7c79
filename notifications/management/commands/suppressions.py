"""`manage.py suppressions`: addresses that nothing is sent to; put on the list, or take off."""

from __future__ import annotations

import io
import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications import known, suppression_import, suppressions
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    up_to,
    whoever,
)
from notifications.models import Pause, Suppression
from notifications.suppression_import import WrongFile, WrongLine
from notifications.suppressions import ComplaintStands

LIMIT, MOST = 50, 1000
STDIN = "-"

Row = dict[str, Any]


class Command(VerbCommand):
    help = (
        "The suppression list: addresses that nothing is sent to, whatever it is. Kept as hashes: "
        "it can be asked about an address, and tells none. Without a verb, the newest in force."
    )
    verbs = ("list", "add", "import", "remove")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="what is suppressed, newest first")
        wanted.add_argument("--address", default="", help="exactly this one")
        wanted.add_argument("--channel", default="", help="email, sms, …")
        wanted.add_argument("--for", dest="why", choices=Suppression.Reason.values)
        wanted.add_argument("--all", action="store_true", help="what was lifted, too")
        wanted.add_argument("--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST}")
        wanted.add_argument("--after", type=_number, help="go on after the one of this id")
        adding = listing(verbs, "add", help="send nothing more to an address")
        adding.add_argument("address")
        adding.add_argument("--channel", required=True, help="email, sms, …")
        adding.add_argument(
            "--as",
            dest="why",
            choices=Suppression.Reason.values,
            default=Suppression.Reason.OPERATOR.value,
            help="what it is suppressed for (%(default)s)",
        )
        add_changing(adding, reason="kept with it")
        importing = listing(verbs, "import", help="put all of a CSV file on the list")
        importing.add_argument(
            "file",
            help="its first line names the columns: address, and channel, reason, note where it "
            f"has them; {STDIN} reads standard input",
        )
        importing.add_argument("--channel", default="", help="of rows that name none")
        add_changing(importing, reason="kept with rows that have no note", needed=False)
        removing = listing(verbs, "remove", help="let an address be sent to again")
        removing.add_argument("address", nargs="?", default="")
        removing.add_argument("--channel", default="", help="email, sms, …")
        removing.add_argument("--id", type=_number, help="the address of the row of this id")
        removing.add_argument(
            "--although-complained",
            action="store_true",
            help="its owner called our mail spam, and has asked for it since",
        )
        add_changing(removing, reason="kept with it")

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "add":
                self._add(**options)
            case "import":
                self._import(**options)
            case "remove":
                self._remove(**options)
            case _:
                self._list(**options)

    def _list(
        self, *, limit: int = LIMIT, after: int | None = None, json: bool, **options: Any
    ) -> None:
        found = _matching(**options).order_by("-id")
        rows = list((found.filter(pk__lt=after) if after else found)[: limit + 1])
        following = rows[limit - 1].pk if len(rows) > limit else None
        rows = rows[:limit]
        if json:
            self._json({"suppressions": [_row(each) for each in rows], "next": following})
            return
        for each in rows:
            self.stdout.write(_line(each))
        if following:
            self.stdout.write(f"There are more: --after {following}")
        elif not rows:
            self.stdout.write("Nothing matches.")

    def _add(
        self,
        *,
        address: str,
        channel: str,
        why: str,
        reason: str,
        by: str,
        dry_run: bool,
        json: bool,
        **_: Any,
    ) -> None:
        if problem := suppressions.problem_of(channel, address):
            raise CommandError(f"Nothing was done: {problem}.")
        said: Row = {"by": whoever(by), "note": reason}
        if dry_run:
            added = suppressions.missing([suppressions.refused_of(channel, address, reason=why)])
        else:
            added = suppressions.suppress(channel=channel, address=address, reason=why, **said)
        if json:
            self._json({"added": int(added), "dry_run": dry_run})
        elif added:
            self.stdout.write("It would be suppressed." if dry_run else "It is suppressed.")
        else:
            self.stdout.write("It was suppressed already.")

    def _import(
        self,
        *,
        file: str,
        channel: str,
        reason: str | None,
        by: str,
        dry_run: bool,
        json: bool,
        **_: Any,
    ) -> None:
        def tell(line: WrongLine) -> None:
            if not json:
                self.stderr.write(f"line {line.number}: {line.why}")

        try:
            with _opened(file) as lines:
                done = suppression_import.import_csv(
                    lines,
                    by=whoever(by),
                    channel=channel,
                    note=reason or "",
                    dry_run=dry_run,
                    tell=tell,
                )
        except WrongFile as error:
            raise CommandError(f"{error}.") from None
        if json:
            told = [vars(line) for line in done.told]
            self._json({**vars(done), "told": told, "dry_run": dry_run})
        else:
            verb = "would be" if dry_run else "are"
            self.stdout.write(
                f"{done.added} {verb} suppressed, {done.already} were already, "
                f"{done.wrong} lines are wrong"
            )
        if done.wrong:
            sys.exit(1)

    def _remove(
        self,
        *,
        address: str,
        channel: str,
        id: int | None,
        although_complained: bool,
        reason: str,
        by: str,
        dry_run: bool,
        json: bool,
        **_: Any,
    ) -> None:
        whom = _whom(address, channel, id)
        try:
            lifted = suppressions.lift(
                **whom,
                by=whoever(by),
                reason=reason,
                although_complained=although_complained,
                dry_run=dry_run,
            )
        except ComplaintStands as error:
            raise CommandError(f"{error} (--although-complained).") from None
        if json:
            self._json({"lifted": lifted, "dry_run": dry_run})
        elif lifted:
            self.stdout.write("It would be lifted." if dry_run else "It is lifted.")
        else:
            self.stdout.write("It was not suppressed.")

    def _json(self, value: Row) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder))


def _matching(
    *, address: str = "", channel: str = "", why: str | None = None, all: bool = False, **_: Any
) -> Any:
    known.insist(Pause.Kind.CHANNEL, [channel])
    found = Suppression.objects.all() if all else Suppression.objects.in_force()
    if address:
        found = found.filter(address_hash__in=suppressions.hashes(address))
    given = {"channel": channel, "reason": why}
    return found.filter(**{name: value for name, value in given.items() if value})


def _whom(address: str, channel: str, number: int | None) -> Row:
    if bool(number) == bool(address):
        raise CommandError("Name an address and its --channel, or else a row by its --id.")
    if number:
        row = Suppression.objects.filter(pk=number).first()
        if row is None:
            raise CommandError(f"There is no suppression {number}.")
        return {"channel": row.channel, "address_hash": row.address_hash}
    if problem := suppressions.problem_of(channel, address):
        raise CommandError(f"Nothing was done: {problem}.")
    return {"channel": channel, "address": address}


@contextmanager
def _opened(name: str) -> Iterator[Any]:
    """Its lines as text. What is no UTF-8 is a wrong line, not the end of the import."""
    words: Row = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    if name == STDIN:
        yield io.TextIOWrapper(sys.stdin.buffer, **words)
        return
    try:
        file = Path(name).open(**words)  # noqa: SIM115 - closed below, outside of the try
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
    with file:
        yield file


def _row(each: Suppression) -> Row:
    return {
        "id": each.pk,
        "channel": each.channel,
        "address": each.hint,
        "reason": each.reason,
        "note": each.note,
        "by": each.by,
        "delivery": each.delivery_id,
        "created_at": each.created_at,
        "removed_at": each.removed_at,
        "removed_by": each.removed_by,
        "removed_reason": each.removed_reason,
    }


def _line(each: Suppression) -> str:
    by = f" by {each.by}" if each.by else ""
    note = f": {each.note}" if each.note else ""
    line = (
        f"{each.pk}  {each.channel}  {each.hint or '-'}  {each.reason}{by}  "
        f"{local_moment(each.created_at)}{note}"
    )
    if each.removed_at:
        line += f"\n    lifted by {each.removed_by} {local_moment(each.removed_at)}"
        line += f": {each.removed_reason}"
    return line


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise ArgumentTypeError(f"{text!r} is no suppression's id")
    return int(text)
