"""`manage.py cloudformation`: the topology, roles, alarms and dashboard as a template."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from notifications.aws.cloudformation import written
from notifications.checks import SETTINGS
from notifications.management.verbs import PlainCommand


class Command(PlainCommand):
    help = "Write the CloudFormation template of what is registered and configured here."
    requires_system_checks = [SETTINGS]  # neither a database nor a key is asked for

    def add_arguments(self, parser: ArgumentParser) -> None:
        base = Path(getattr(settings, "BASE_DIR", Path.cwd()))
        parser.add_argument(
            "--output",
            type=Path,
            default=base / "deploy" / "cloudformation.json",
            help="the file (%(default)s); - prints it",
        )
        parser.add_argument(
            "--check", action="store_true", help="do nothing, exit with 1 if the file differs"
        )

    def handle(self, *args: Any, output: Path, check: bool, **options: Any) -> None:
        try:
            text = written()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        try:
            self._put(text, output, check)
        except OSError as error:
            raise CommandError(
                f"--output {output}: {error.strerror}. Give a file that can be written, or -."
            ) from None

    def _put(self, text: str, output: Path, check: bool) -> None:
        if str(output) == "-":
            self.stdout.write(text, ending="")
        elif check:
            if not output.is_file() or output.read_text() != text:
                raise CommandError(
                    f"{output} is not what is registered and configured here: run "
                    "`manage.py cloudformation`, look at the difference, and commit it."
                )
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text)
            self.stdout.write(f"Wrote {output}.")
