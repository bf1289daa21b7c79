"""`manage.py restored`: the database was put back to a backup; said before anything starts."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.utils import timezone

from notifications import restoring
from notifications.management.verbs import ChangingCommand, add_changing, local_moment, whoever
from notifications.restoring import Found


class Command(ChangingCommand):
    help = (
        "The database was restored from a backup, and nothing runs yet: pass over the numbers that "
        "may have been given since, hold for a person what may have been told since, stop the jobs "
        "and announcements that were under way then, and have workers judge what still lies in "
        "SQS. docs/operating.md has the whole way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_changing(parser, reason="which backup, and why; it is kept")
        parser.add_argument(
            "--skip-ids",
            type=_number,
            default=restoring.SKIPPED_IDS,
            help="move each sequence on by so many: more rows than were made since (%(default)s)",
        )
        parser.add_argument(
            "--again",
            action="store_true",
            help="also where that was done before, and no event was recorded since: the database "
            "was put back once more",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *,
        dry_run: bool,
        by: str,
        reason: str,
        skip_ids: int,
        again: bool,
        json: bool,
        **_: Any,
    ) -> None:
        try:
            if dry_run:
                found = restoring.look(skip=skip_ids, again=again)
            else:
                found = restoring.restored(
                    by=whoever(by), reason=reason, skip=skip_ids, again=again
                )
        except restoring.Refused as refused:
            raise CommandError(f"Nothing was done: {refused.message}.") from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if dry_run and not json:
            self.stdout.write("Nothing is done yet. It would be:")
        self.stdout.write(_as_json(found) if json else "\n".join(_lines(found, skip_ids)))


def _as_json(found: Found) -> str:
    return json.dumps({**vars(found), "replay": _replays(found)}, cls=DjangoJSONEncoder)


def _lines(found: Found, skip: int) -> list[str]:
    newest = local_moment(found.newest) if found.newest else "never"
    return [
        f"newest event here: {newest}; what came after it is lost",
        f"judged: messages about what happened since {local_moment(found.covers_since)}",
        f"sequences: moved on by {skip:,}",
        *(
            f"  but not {name}, which has fewer left: its next numbers may have been given since. "
            "Widen it, or move it on by hand: ALTER SEQUENCE … RESTART"
            for name in found.full
        ),
        f"held, for they may have been told: {found.held} deliveries",
        f"stopped: {found.jobs} jobs, {found.announcements} announcements",
        f"scheduled: {found.scheduled} events, even if called off since (`manage.py scheduled`)",
        "Now start relays, workers and web. When `manage.py queues` shows the queues empty:",
        *([f"  manage.py {line}" for line in _replays(found)] or ["  (nothing is left to replay)"]),
    ]


def _replays(found: Found) -> list[str]:
    """What was done between the backup and the restoration has no row here, whoever did it."""
    until = _moment(found.at)  # what is recorded afterwards is new, or lost and found in SQS
    return [
        f'replay {name} --since {_moment(since)} --until {until} --relay --reason "restored"'
        for name, since in found.owed.items()
    ]


def _moment(when: datetime) -> str:
    """With its offset: in the night in which clocks are put back an hour is there twice."""
    return timezone.localtime(when).isoformat(timespec="seconds")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) >= 2**31:
        raise ArgumentTypeError(f"{text!r} is not a whole number below 2^31")
    return int(text)
