"""manage.py reseal: seal by the newest key what an older one sealed, or none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from notifications import resealing, sealed
from notifications.management.verbs import ChangingCommand, add_changing, plain_refusals, whoever


class Command(ChangingCommand):
    help = "Seal addresses and secrets by the newest of NOTIFICATIONS['ENCRYPTION_KEYS']."

    def add_arguments(self, parser: CommandParser) -> None:
        add_changing(parser, reason="why; it is kept", needed=False)

    @plain_refusals()
    def handle(self, *, dry_run: bool, by: str, reason: str | None, **_: Any) -> None:
        unread = 0
        if not dry_run:
            resealing.begin(by=whoever(by), reason=reason or "")
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
