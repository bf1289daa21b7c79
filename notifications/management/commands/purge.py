"""`manage.py purge`: delete now what the relays would delete by and by."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications import retention


class Command(BaseCommand):
    help = (
        "Delete what is over and has been kept for its days (NOTIFICATIONS['RETENTION']), as the "
        "relays do by themselves, a little each minute. What is open stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        try:
            due = [
                {"what": kind.name, "kept_days": kind.days, "due": kind.due().count()}
                for kind in retention.kinds()
            ]
            deleted = 0
            while not dry_run and (some := retention.sweep()):
                deleted += some
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
