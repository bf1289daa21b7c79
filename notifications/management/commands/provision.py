"""`manage.py provision`: make SNS and SQS what the registered consumers need."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications import topology
from notifications.aws.errors import AWS_ERRORS, explain
from notifications.aws.provision import Action, Orphan, Plan, Step, plan, provision
from notifications.management.verbs import ChangingCommand, add_who, whoever


class Command(ChangingCommand):
    help = (
        "Create the topics, queues and subscriptions that are missing and mend those that "
        "drifted. Run it as often as you like; it deletes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        looking = parser.add_mutually_exclusive_group()
        looking.add_argument("--dry-run", action="store_true", help="print the plan, do nothing")
        looking.add_argument(
            "--check", action="store_true", help="do nothing, exit with 1 if there is a difference"
        )
        parser.add_argument(
            "--strict",
            action="store_true",
            help="with --check: exit with 1 also for orphans and strangers, which are declared "
            "nowhere",
        )
        add_who(parser, reason="why; it is kept")
        parser.add_argument("--json", action="store_true", help="print the plan as one JSON object")

    def handle(self, **options: Any) -> None:
        only_looking = options["dry_run"] or options["check"]
        if options["strict"] and not options["check"]:
            raise CommandError("--strict goes with --check: it says when that fails.")
        try:
            layout = topology.current()
            steps = plan(layout) if only_looking else self._provision(layout, options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except AWS_ERRORS as error:
            raise CommandError(explain(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(layout, steps, applied=not only_looking)))
        elif options["verbosity"]:
            self._print(layout, steps, applied=not only_looking)
        undeclared = steps.orphans or steps.strangers
        if options["check"] and (steps.drift or (options["strict"] and undeclared)):
            sys.exit(1)

    def _provision(self, layout: topology.Topology, options: dict[str, Any]) -> Plan:
        """Also where the database is not there yet: whoever has the right at AWS needs no audit of
        ours to do it."""
        try:
            return provision(layout, by=whoever(options["by"]), reason=options["reason"] or "")
        except DatabaseError as error:
            self.stderr.write(f"This is not audited: {str(error).splitlines()[0]}")
            return provision(layout)

    def _print(self, layout: topology.Topology, steps: Plan, *, applied: bool) -> None:
        for step in steps.steps:
            self._print_step(step)
        for orphan in steps.orphans:
            self.stdout.write(self.style.WARNING(f"  {_orphan(orphan)}"))
        for stranger in steps.strangers:
            line = f"  stranger {stranger.kind:<11} {stranger.name} (not declared here; left alone)"
            self.stdout.write(self.style.WARNING(line))
        create, change, keep = (
            sum(step.action is action for step in steps.steps) for action in Action
        )
        self.stdout.write(
            f"{layout.prefix}: {create} created, {change} changed, {keep} as declared"
            if applied
            else f"{layout.prefix}: {create} to create, {change} to change, {keep} as declared; "
            "nothing was done"
        )

    def _print_step(self, step: Step) -> None:
        line = f"  {step.action:<7} {step.kind:<12} {step.name}"
        self.stdout.write(line if step.action is Action.KEEP else self.style.SUCCESS(line))
        for change in step.changes:
            self.stdout.write(
                f"{'':10}{change.attribute}: {_shown(change.old)} → {_shown(change.new)}"
            )


def _as_json(layout: topology.Topology, steps: Plan, *, applied: bool) -> dict[str, Any]:
    return {
        "prefix": layout.prefix,
        "applied": applied,
        "drift": bool(steps.drift),
        "steps": [
            {
                "action": step.action,
                "kind": step.kind,
                "name": step.name,
                "changes": [asdict(change) for change in step.changes],
            }
            for step in steps.steps
        ],
        "orphans": [asdict(orphan) for orphan in steps.orphans],
        "strangers": [asdict(stranger) for stranger in steps.strangers],
    }


def _orphan(orphan: Orphan) -> str:
    holds = "" if orphan.messages is None else f", holds {orphan.messages} messages"
    return f"orphan  {orphan.kind:<12} {orphan.name} (no longer declared{holds}; left alone)"


def _shown(value: str) -> str:
    return value or "none"
