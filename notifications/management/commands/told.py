"""`manage.py told`: was this customer told?"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from notifications import known
from notifications.filters import moment
from notifications.management.told_text import as_json, lines
from notifications.management.verbs import ChangingCommand, add_who, whoever
from notifications.models import Pause
from notifications.told import told

NOT_TOLD, NO_ANSWER = 1, 2
"""Exit statuses beside 0, which is that somebody was told of each event."""


class Command(ChangingCommand):
    help = (
        "Whether somebody was told, of what, by which channels, and if not why not: by person, "
        "order or address. Exits with 0 if each event was told by one channel at least, with 1 if "
        "one was not or nothing is known, with 2 if there is no answer. Addresses are masked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "about",
            help="a person: customer/42; an order: 17, order/17; or an address: ann@example.org, "
            '"+49 151 12345678"',
        )
        parser.add_argument("--event", default="", help="of this type alone: order.shipped")
        parser.add_argument(
            "--since", type=_moment, help="that happened since 2026-11-20T14:00, or 90m, 2h, 3d ago"
        )
        add_who(parser, reason="why you ask; it is kept")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *,
        about: str,
        event: str,
        since: datetime | None,
        by: str,
        reason: str | None,
        json: bool,
        **_: Any,
    ) -> None:
        if not about.strip():
            raise CommandError("Say who, what or which address.", returncode=NO_ANSWER)
        try:
            known.insist(Pause.Kind.EVENT_TYPE, [event])
            answer = told(about, event_type=event, since=since, by=whoever(by), reason=reason or "")
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=NO_ANSWER) from None
        except DatabaseError as error:
            said = f"The database refuses: {str(error).splitlines()[0]}"
            raise CommandError(said, returncode=NO_ANSWER) from None
        if json:
            self.stdout.write(_in_json(as_json(answer)))
        else:
            for line in lines(answer, shutil.get_terminal_size((100, 24)).columns):
                self.stdout.write(line)
        if not answer.told:
            sys.exit(NOT_TOLD)


def _in_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, cls=DjangoJSONEncoder)


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
