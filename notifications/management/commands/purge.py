"""`manage.py purge`: delete now what the relays would delete by and by."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications import retention
from notifications.management.verbs import ChangingCommand, add_changing, whoever


class Command(ChangingCommand):
    help = (
        "Delete what is over and has been kept for its days (NOTIFICATIONS['RETENTION']), as the "
        "relays do by themselves, a little each minute. What is open stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_changing(parser, reason="why; it is kept", needed=False)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, dry_run: bool, by: str, reason: str | None, **options: Any) -> None:
        try:
            due = [
                {"what": kind.name, "kept_days": kind.days, "due": kind.due().count()}
                for kind in retention.kinds()
            ]
            deleted = 0 if dry_run else retention.purge(by=whoever(by), reason=reason or "")
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if options["json"]:
            self.stdout.write(json.dumps({"due": due, "deleted": deleted}))
            return
        for kind in due:
            said = f"{kind['what']}: {kind['due']} older than {kind['kept_days']} days"
            self.stdout.write(f"  {said}")
        self.stdout.write("Nothing was done." if dry_run else f"{deleted} deleted")
