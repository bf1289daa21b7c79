"""`manage.py reputation`: how much of each channel's messages came back, and how much may."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifications import pauses, reputation
from notifications.conf import conf
from notifications.management.verbs import plain_refusals
from notifications.models import Pause
from notifications.reputation import Cases

COLUMNS = ("CHANNEL", "PROVIDER", "SINCE", "SENT", "HARD", "SOFT", "COMPLAINTS", "STATE")
NOTHING = "-"


class Command(BaseCommand):
    help = (
        "List, for each channel and provider, what was sent within the window, how much of it "
        "bounced or was complained about, and whether the channel is paused for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    @plain_refusals()
    def handle(self, **options: Any) -> None:
        paused = {
            row.name: row.paused_by
            for row in Pause.objects.in_force().filter(kind=Pause.Kind.CHANNEL)
        }
        rows = [_Row(found, paused.get(found.channel, "")) for found in _found()]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(rows)))
            return
        bounds = conf().reputation
        self._print([COLUMNS, *(row.cells() for row in rows)])
        self.stdout.write(
            f"At most {bounds.bounce_rate:.2%} hard bounces and {bounds.complaint_rate:.2%} "
            f"complaints in {bounds.window_hours} h, of {bounds.least_sends} messages or more, and "
            f"{bounds.least_cases} of a kind."
        )

    def _print(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


class _Row:
    def __init__(self, found: Cases, paused_by: str) -> None:
        self.found, self.paused_by = found, paused_by
        self.sends = found.sends()

    def cells(self) -> Sequence[str]:
        found = self.found
        return (
            found.channel,
            found.provider or NOTHING,
            f"{found.since:%Y-%m-%d %H:%M}",
            str(self.sends),
            self._of(found.bounces),
            self._of(found.soft_bounces),
            self._of(found.complaints),
            f"paused by {self.paused_by}" if self.paused_by else NOTHING,
        )

    def as_json(self) -> dict[str, Any]:
        found = self.found
        return {
            "channel": found.channel,
            "provider": found.provider or None,
            "since": found.since.isoformat(),
            "sent": self.sends,
            "bounces": found.bounces,
            "soft_bounces": found.soft_bounces,
            "complaints": found.complaints,
            "bounce_rate": self._rate(found.bounces),
            "complaint_rate": self._rate(found.complaints),
            "paused_by": self.paused_by or None,
        }

    def _rate(self, count: int) -> float | None:
        return round(count / self.sends, 6) if self.sends else None

    def _of(self, count: int) -> str:
        rate = self._rate(count)
        return str(count) if rate is None else f"{count} ({rate:.2%})"


def _found() -> Iterator[Cases]:
    """A line for each channel, and for each provider of it of which something came back."""
    for channel in pauses.names(Pause.Kind.CHANNEL):
        found = list(reputation.cases(channel))
        yield from found or [Cases(channel, "", reputation.counted_since(channel), 0, 0, 0)]


def _as_json(rows: Sequence[_Row]) -> dict[str, Any]:
    bounds = conf().reputation
    return {"bounds": vars(bounds), "rates": [row.as_json() for row in rows]}
