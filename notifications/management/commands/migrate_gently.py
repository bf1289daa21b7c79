"""`manage.py migrate_gently`: migrate while orders come in."""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from notifications import gentle_migration
from notifications.gentle_migration import LOCK_TIMEOUT, PAUSE, TRIES


class Command(BaseCommand):
    help = (
        "`migrate`, beside traffic: nobody waits behind it for longer than the lock timeout, what "
        "it does not get it tries again, what was broken off it goes on with. Several may be "
        "started at once; one migrates."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_label", nargs="?", help="this app only")
        parser.add_argument("migration_name", nargs="?", help="up to this one")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="%(default)s")
        parser.add_argument(
            "--lock-timeout", type=float, default=LOCK_TIMEOUT, help="seconds (%(default)s)"
        )
        parser.add_argument(
            "--pause", type=float, default=PAUSE, help="seconds between tries (%(default)s)"
        )
        parser.add_argument("--tries", type=int, default=TRIES, help="%(default)s")

    def handle(
        self,
        *,
        app_label: str | None,
        migration_name: str | None,
        database: str,
        lock_timeout: float,
        pause: float,
        tries: int,
        verbosity: int,
        skip_checks: bool,
        **_: Any,
    ) -> None:
        if not 0.01 <= lock_timeout <= 60 or not 0 <= pause <= 600 or tries < 1:
            raise CommandError(
                "--lock-timeout is 0.01 to 60 seconds, --pause 0 to 600, --tries 1 or more."
            )
        if database not in connections:
            raise CommandError(f"--database {database!r}: there are {', '.join(connections)}.")
        if not skip_checks:  # as `migrate` does: what the server itself must be asked for
            self.check(tags=[Tags.database], databases=[database])
        try:
            gentle_migration.migrate(
                *[name for name in (app_label, migration_name) if name],
                using=database,
                lock_timeout=lock_timeout,
                pause=pause,
                tries=tries,
                tell=self._tell,
                verbosity=verbosity,
            )
        except gentle_migration.Blocked as blocked:
            raise CommandError(f"{blocked.message}. Run it again; what is done stays.") from None
        except OperationalError as error:
            raise CommandError(
                f"The database refuses: {str(error).splitlines()[0]}. Is DATABASES right (the "
                "shop: DATABASE_URL)? Run it again; what is done stays."
            ) from error

    def _tell(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
