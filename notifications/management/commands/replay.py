"""`manage.py replay`: events of the past travel once more to one consumer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from notifications import consumers, replay, undertakings
from notifications.management.mending import MendingCommand, add_named, given
from notifications.models import Event

FILTERS = ("event_type", "subject", "event")


class Command(MendingCommand):
    help = (
        "Put events of the past on one consumer's bulk queue. It does what it has not done, and "
        "skips the rest; what it gave up on is for `redrive`. A job that may be broken off and "
        "gone on with."
    )
    filters = ("consumer", *FILTERS, "messages_lost")
    rate = 100.0

    def add_filters(self, parser: CommandParser) -> None:
        parser.add_argument("consumer", nargs="?", help="its name: email, analytics")
        add_named(parser, "event-type", "events of these types; all that it takes")
        add_named(parser, "subject", 'about these: "order/1"')
        add_named(parser, "event", "these events (ids)", undertakings.uuid)
        parser.add_argument(
            "--messages-lost",
            action="store_true",
            help="also what is under way: its messages are gone, by a purge or with a region",
        )

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["consumer"]:
            raise CommandError("Say to which consumer: manage.py replay email …")
        wanted = given(options, *FILTERS)
        if options["messages_lost"]:
            wanted["messages_lost"] = True
        replay.types_for(consumers.get(options["consumer"]), wanted.get("event_type", []))
        bounded = any(options[name] for name in ("subject", "event", "since", "until"))
        if not bounded:
            raise CommandError("Say which: --since or --until, --subject or --event.")
        return {"consumer": options["consumer"], **wanted}

    def work(self) -> replay.Replay:
        return replay.Replay()

    def row(self, subject: Event) -> dict[str, Any]:
        return replay.row(subject)
