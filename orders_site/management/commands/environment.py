"""`manage.py environment`: every variable that the shop reads, and what it holds here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orders_site.environment import from_file
from orders_site.environment.document import markdown
from orders_site.environment.problems import problems
from orders_site.environment.slips import slips
from orders_site.environment.table import TABLE, VARIABLES
from orders_site.environment.variable import Variable


class Command(BaseCommand):
    help = (
        "Print every environment variable that the shop reads: what it holds here, or what holds "
        "without it. Secrets are shown as set. docs/settings.md says what each is for."
    )
    requires_system_checks: list[str] = []  # what is wrong is said below, with all the rest

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--set", action="store_true", help="only those that are set here")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print one JSON object")
        form.add_argument(
            "--markdown", action="store_true", help="print the table of docs/settings.md"
        )

    def handle(self, **options: Any) -> None:
        if options["markdown"]:
            self.stdout.write(markdown())
        elif options["json"]:
            shown = [each for each in VARIABLES if not options["set"] or each.is_set(os.environ)]
            report = {
                "variables": [_as_json(each) for each in shown],
                "unknown": [{"name": name, "nearest": near} for name, near in slips(os.environ)],
            }
            self.stdout.write(json.dumps(report))
        else:
            self._print(only_set=options["set"])

    def _print(self, *, only_set: bool) -> None:
        width = max(len(variable.name) for variable in VARIABLES)
        for title, variables in TABLE.items():
            shown = [each for each in variables if not only_set or each.is_set(os.environ)]
            if shown:
                self.stdout.write(self.style.MIGRATE_HEADING(title))
            for each in shown:
                self.stdout.write(f"  {each.name:<{width}}  {self._state(each)}".rstrip())
        for line in _wrong():
            self.stdout.write(self.style.ERROR(line))

    def _state(self, variable: Variable) -> str:
        if not variable.is_set(os.environ):
            words = variable.default_in_words.replace("`", "")
            return self.style.HTTP_NOT_MODIFIED(f"- {words}")
        origin = "  (.local/env)" if variable.name in from_file else ""
        return f"{_shown(variable)}{origin}"


def _shown(variable: Variable) -> str:
    held = os.environ[variable.name]
    if variable.kind.secret:
        return "set" if held else "set, and empty"
    return held or '""'


def _wrong() -> Iterator[str]:
    yield from problems(os.environ)
    for name, near in slips(os.environ):
        yield f"{name} is set, and nobody reads it: {near} is near."


def _as_json(variable: Variable) -> dict[str, Any]:
    is_set = variable.is_set(os.environ)
    return {
        "name": variable.name,
        "for": variable.about,
        "holds": variable.kind.name,
        "used_by": variable.used_by,
        "set": is_set,
        "value": os.environ[variable.name] if is_set and not variable.kind.secret else None,
        "from": (".local/env" if variable.name in from_file else "environment") if is_set else None,
        "default": variable.default_in_words,
        "problem": variable.problem(os.environ) or None,
    }
