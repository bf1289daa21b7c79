"""`manage.py resend`: send deliveries once more, whatever became of them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from notifications import resend, undertakings
from notifications.management.mending import MendingCommand, add_named, given
from notifications.models import Delivery

FILTERS = (
    "delivery",
    "subject",
    "event",
    "event_type",
    "channel",
    "state",
    "provider",
    "fingerprint",
    "template_version",
)


class Command(MendingCommand):
    help = (
        "Send deliveries once more, on the bulk queues: a job that may be broken off and gone on "
        "with. What the order has since made untrue, or what has expired, is refused, unless you "
        "--override it; whoever opted out or complained is never told. What is under way is left "
        "alone."
    )
    filters = (*FILTERS, "order", "override", "text")
    rate = 100.0

    def add_filters(self, parser: CommandParser) -> None:
        maybe = undertakings.text_or_none
        add_named(parser, "delivery", "these deliveries (ids, or tags)", undertakings.uuid)
        add_named(parser, "order", "about these orders (numbers)", undertakings.number)
        add_named(parser, "subject", 'about these: "order/1"')
        add_named(parser, "event", "about these events (ids)", undertakings.uuid)
        add_named(parser, "event-type", "about events of these types")
        add_named(parser, "channel", "over these channels")
        add_named(parser, "provider", "by these providers, as they were asked last", maybe)
        add_named(parser, "fingerprint", "of these groups: failures of one cause", maybe)
        add_named(parser, "template-version", 'told in the words of these: "v3#17"')
        parser.add_argument(
            "--state",
            nargs="+",
            action="extend",
            default=[],
            choices=Delivery.State.values,
            help="in these states",
        )
        parser.add_argument(
            "--override",
            action="store_true",
            help="also what is no longer true, or has expired; the reason is kept on each delivery",
        )

        parser.add_argument(
            "--as",
            dest="text",
            choices=(resend.ORIGINAL, resend.CURRENT),
            help="with the words that were sent, as long as they are kept, or with those that the "
            "templates make of it now (current)",
        )

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        options["subject"] = [*options["subject"], *(f"order/{n}" for n in options["order"])]
        wanted = given(options, *FILTERS)
        if not any(wanted.get(name) for name in resend.NAMED_BY) and not wanted.get("state"):
            raise CommandError(
                "Say which: --delivery, --order, --subject or --event, or else the --state in "
                "which they are (--state failed), lest everybody is told everything again."
            )
        if options["text"] == resend.ORIGINAL:
            wanted["text"] = resend.ORIGINAL
        return wanted

    def work(self) -> resend.Resend:
        return resend.Resend()

    def row(self, subject: Delivery) -> dict[str, Any]:
        return resend.row(subject)
