"""`manage.py drop`: what waits to be told of one event type is not told any more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from notifications import dropping
from notifications.management.mending import MendingCommand, add_named, given
from notifications.models import Dispatch


class Command(MendingCommand):
    help = (
        "Drop what waits in the outbox to be told of an event type: put off by a pause, a limit, "
        "quiet hours or a digest, or ahead of an announcement, a fallback or a resend. Each "
        "delivery of it is on record as discarded. What lies on the queues is not reached: pause "
        "the type or its template first, and the workers put it back. --dry-run says how many."
    )
    filters = ("event_type", "channel", "waiting")
    rate = 500.0

    def add_filters(self, parser: CommandParser) -> None:
        add_named(parser, "event-type", "of events of these types")
        add_named(parser, "channel", "over these channels")
        parser.add_argument(
            "--waiting",
            nargs="+",
            action="extend",
            default=[],
            choices=Dispatch.Reason.values,
            help="which wait for this reason",
        )

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["event_type"]:
            raise CommandError("Say of which event type: --event-type order.created.")
        filters = {**options, "reason": options["waiting"]}
        return given(filters, "event_type", "channel", "reason")

    def work(self) -> dropping.Drop:
        return dropping.Drop()

    def row(self, subject: Dispatch) -> dict[str, Any]:
        return dropping.row(subject)

    def _try_out(self, work: Any, wanted: dict[str, Any], options: dict[str, Any]) -> None:
        if not options["json"]:
            for kind in dropping.pending(wanted):
                reason = Dispatch.Reason(kind.reason).label
                self.stdout.write(f"{kind.count}  {kind.event_type}  {kind.queue}  {reason}")
        super()._try_out(work, wanted, options)
