"""`manage.py redrive`: dead letters go back to their consumer, a few first."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from notifications import known, redrive, undertakings
from notifications.management.mending import MendingCommand, add_named, given
from notifications.models import DeadLetter, Pause

FILTERS = ("id", "queue", "event_type", "fingerprint")


class Command(MendingCommand):
    help = (
        "Give open dead letters back to their consumer, on its bulk queue: 1, then 10, then 100, "
        "then all, each stage when the one before has ended. Stops by itself when one fails "
        "again; --job goes on. What was done before is not done twice."
    )
    filters = FILTERS
    rate = 10.0

    def add_filters(self, parser: CommandParser) -> None:
        maybe = undertakings.text_or_none
        add_named(parser, "id", "these dead letters", undertakings.number)
        add_named(parser, "queue", "of these queues: email-bulk; email: all of that consumer")
        add_named(parser, "event-type", "of events of these types", maybe)
        add_named(parser, "fingerprint", "of these groups: failures of one cause", maybe)

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        wanted = given(options, *FILTERS)
        if not wanted and not options["since"] and not options["until"]:
            raise CommandError(
                "Say which: --id, --queue, --event-type, --fingerprint, --since or --until."
            )
        known.insist(Pause.Kind.QUEUE, wanted.get("queue", ()))
        return wanted

    def work(self) -> redrive.Redrive:
        return redrive.Redrive()

    def stage(self) -> tuple[int, int] | None:
        return 1, redrive.size_of(1) or 1

    def row(self, subject: DeadLetter) -> dict[str, Any]:
        return redrive.row(subject)
