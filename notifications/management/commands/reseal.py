"""manage.py reseal: seal by the newest key what an older one sealed, or none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications import resealing, sealed


class Command(BaseCommand):
    help = "Seal addresses and secrets by the newest of NOTIFICATIONS['ENCRYPTION_KEYS']."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, *, dry_run: bool, **_: Any) -> None:
        unread = 0
        for model, column in resealing.columns():
            name = f"{model._meta.label}.{column}"
            if dry_run:
                count = resealing.stale(model, column).count()
                self.stdout.write(f"{name}: {count} to seal by key {sealed.newest()}")
                continue
            resealed = 0
            for done, failed in resealing.reseal(model, column):
                resealed, unread = resealed + done, unread + failed
            self.stdout.write(f"{name}: {resealed} sealed by key {sealed.newest()}")
        if unread:
            raise CommandError(
                f"{unread} cannot be read and were left as they are: the key that sealed them is "
                'not in NOTIFICATIONS["ENCRYPTION_KEYS"].'
            )
