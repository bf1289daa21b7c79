"""`manage.py local`: the embedded PostgreSQL, SNS/SQS and providers, until Ctrl-C."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from notifications.channels.receipts import consumer as receipts
from notifications.conf import conf
from notifications.consumers import all_consumers
from notifications.local.parts import PartFailed
from notifications.local.processes import stopped_by_signals
from notifications.local.sandbox import send_receipts
from notifications.local.stack import Stack


class Command(BaseCommand):
    help = "Run the embedded PostgreSQL, SNS/SQS and provider sandbox until Ctrl-C."
    requires_system_checks = []  # what they would ask for is what this command provides

    def add_arguments(self, parser: ArgumentParser) -> None:
        base = Path(getattr(settings, "BASE_DIR", Path.cwd()))
        parser.add_argument(
            "--directory",
            type=Path,
            default=base / ".local",
            help="where data, logs and the file `env` are kept (%(default)s)",
        )

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        try:
            with stopped_by_signals(), Stack(directory, tell=self._tell) as stack:
                send_receipts(stack.environment, f"{conf().prefix}-{receipts.NAME}")
                self._tell(self._summary(stack))
                stack.watch()
        except PartFailed as failure:
            raise CommandError(str(failure)) from None
        except KeyboardInterrupt:
            self.stdout.write("Ended.")

    def _tell(self, text: str) -> None:
        """At once, also into a pipe or a file."""
        self.stdout.write(text)
        self.stdout.flush()

    def _summary(self, stack: Stack) -> str:
        home = stack.directories.home
        started = [f"  {part.title:<13} {part.where}" for part in stack.parts]
        return "\n".join(
            [
                *(started or ["  nothing: the environment names every part"]),
                f"  Logs in {home / 'logs'}. In other terminals, one after the other;",
                "  the first line in each, unless your settings read that file by themselves:",
                "",
                f"    set -a; . {shlex.quote(str(_from_here(home / 'env')))}; set +a",
                *(f"    {command}" for command in self._next_commands()),
                "",
                "Ctrl-C ends them; what they hold stays for the next time.",
            ]
        )

    def _next_commands(self) -> list[str]:
        project = os.environ.get("DJANGO_SETTINGS_MODULE", "project").partition(".")[0]
        queues = ",".join(consumer.name for consumer in all_consumers()) or "QUEUES"
        python = _from_here(Path(sys.executable))
        return [
            f"{python} manage.py migrate",
            f"{python} manage.py provision",
            f"{python} manage.py createsuperuser",
            f"{python} manage.py runserver",
            f"{python} manage.py relay -v 2",
            f"{python} -m celery -A {_worker_app(project)} worker -l INFO -Q {queues}",
        ]


def _worker_app(project: str) -> str:
    """The module of its own that docs/extending.md gives the app, where there is one."""
    beside = f"{project}.notifications_worker"
    try:
        return beside if importlib.util.find_spec(beside) else project
    except ModuleNotFoundError:  # settings in a module of their own, below no package
        return project


def _from_here(path: Path) -> Path:
    """As a person would type it: relative, where it lies below the current directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
