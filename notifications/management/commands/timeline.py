"""`manage.py timeline`: everything that is known of one order, in order of time."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from notifications.completeness import Completeness
from notifications.management.timeline_text import lines
from notifications.management.verbs import PlainCommand
from notifications.timeline import Timeline, subject_of, timeline


class Command(PlainCommand):
    help = (
        "Everything that is known of one order, or another subject, in order of time: its events, "
        "each consumer, every attempt, receipt, dead letter and operator's action; who has not "
        "reported, and how long each stage took. Addresses are masked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "subject", help='an order: 17, "#17", order/17; or what else events are about: sku/MUG'
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, subject: str, **options: Any) -> None:
        name = subject_of(subject)
        if not name:
            raise CommandError("Say which order, or what else events are about.")
        try:
            found = timeline(name)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if not found.entries:
            hint = (
                "" if "/" in subject else ' Say the whole subject of what is no order: "sku/MUG".'
            )
            raise CommandError(f"Nothing is known of {name}.{hint}")
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(found), cls=DjangoJSONEncoder))
            return
        for line in lines(found, shutil.get_terminal_size((100, 24)).columns):
            self.stdout.write(line)


def _as_json(found: Timeline) -> dict[str, Any]:
    return {
        "subject": found.subject,
        "at": found.at,
        "completeness": _completeness(found.completeness, found),
        "events": [
            {
                "id": event.event_id,
                "type": event.type,
                "time": event.time,
                "completeness": _completeness(event.completeness, found),
                "lag": [asdict(each) for each in event.lags],
            }
            for event in found.events
        ],
        "entries": [asdict(entry) for entry in found.entries],
        "cut": found.cut,
    }


def _completeness(counted: Completeness, found: Timeline) -> dict[str, Any]:
    return {
        "words": counted.words(found.at),
        "expected": counted.expected,
        "reached": counted.reached,
        "complete": counted.is_complete,
        "consumers": [asdict(report) for report in counted.reports],
    }
