"""`manage.py overview`: what the console shows first, for a terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from io import StringIO
from json import dumps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from notifications import lookout
from notifications.durations import words
from notifications.management import objective_text, queue_text, watching
from notifications.models.throughput import Counts

PATIENCE = 6.0
"""Seconds to wait for SQS, which is more than it takes to find out that it is away."""


class Command(BaseCommand):
    help = (
        "Show what needs a person, how each queue does, and what each consumer did and failed at "
        "in the last hour and the last day; and where the objectives stand."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        watching.add_watch(parser)

    def handle(self, *, json: bool, watch: float | None, **_options: Any) -> None:
        write = _write_json if json else self._write
        try:
            watching.show(write, self.stdout, every=watch, clear=not json)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None

    def _write(self, out: StringIO) -> None:
        found = lookout.look(patience=PATIENCE)
        for need in found.needs:
            out.write(f"{self.style.WARNING(need.text)}\n")
        if not found.needs:
            out.write(f"{self.style.SUCCESS('Nothing needs you.')}\n")
        out.write("\n")
        for line, warn in queue_text.lines(found.queues):
            out.write(f"{self.style.WARNING(line) if warn else line}\n")
        if found.standings:
            out.write("\n")
        for line, warn in objective_text.lines(found.standings):
            out.write(f"{self.style.WARNING(line) if warn else line}\n")
        for span, figures in (("LAST HOUR", found.hour), ("LAST DAY", found.day)):
            out.write("\n")
            for line in _table(span, figures):
                out.write(f"{line}\n")
        if found.minutes.computed_at is None:
            out.write("No minute has been added up yet: the relays do it.\n")
        else:
            age = words((found.at - found.minutes.computed_at).total_seconds())
            out.write(f"\nThe latest minute was added up {age} ago.\n")


def _write_json(out: StringIO) -> None:
    found = lookout.look(patience=PATIENCE)
    shown = {
        "at": found.at,
        "sqs_at": found.depths.at,
        "trouble": found.queues.trouble,
        "needs": [{**asdict(need), "text": need.text} for need in found.needs],
        "queues": [queue_text.as_json(row, found.at) for row in found.queues.rows],
        "objectives": [objective_text.as_json(each) for each in found.standings],
        "last_hour": _as_json(found.hour),
        "last_day": _as_json(found.day),
        "being_retried": dict(found.trying),
        "oldest_unpublished": found.outbox,
        "added_up_at": found.minutes.computed_at,
    }
    out.write(f"{dumps(shown, cls=DjangoJSONEncoder)}\n")


def _as_json(figures: Mapping[str, Counts]) -> dict[str, Any]:
    return {
        name: {**counts._asdict(), "success": counts.success} for name, counts in figures.items()
    }


def _table(title: str, figures: Mapping[str, Counts]) -> list[str]:
    headings = [title, *(name.upper() for name in Counts._fields), "SUCCESS"]
    cells = [headings, *([name, *_cells(figures[name])] for name in sorted(figures))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def _cells(counts: Counts) -> list[str]:
    success = "-" if counts.success is None else f"{100 * counts.success:.1f} %"
    return [*(str(count) for count in counts), success]
