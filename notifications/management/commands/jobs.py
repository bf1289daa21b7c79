"""`manage.py jobs`: what was resent, redriven and replayed, by whom, why, and how far it came."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from getpass import getuser
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from notifications import jobs
from notifications.management.mending import answer, named
from notifications.management.verbs import VerbCommand, add_changing, listing, local_moment
from notifications.models import Job, JobItem

LIMIT, MOST = 20, 1000


class Command(VerbCommand):
    help = (
        "List the jobs of resend, redrive and replay, the latest first; show one with its log and "
        "items; stop or cancel one, within its current item. Without a verb, the list."
    )
    verbs = ("list", "show", "stop", "cancel")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="jobs, the latest first")
        wanted.add_argument("--kind", choices=Job.Kind.values, help="of this kind")
        wanted.add_argument("--state", choices=Job.State.values, help="in this state")
        _add_limit(wanted)
        show = verbs.add_parser("show", help="one job, its log and its items")
        show.add_argument("job", type=int)
        show.add_argument("--outcome", choices=JobItem.Outcome.values, help="only these items")
        _add_limit(show)
        show.add_argument("--json", action="store_true", help="print one JSON object")
        for verb, help in (
            ("stop", "stop it; it goes on with its command's --job"),
            ("cancel", "end it for good; what it has put on its way stays there"),
        ):
            parser = verbs.add_parser(verb, help=help)
            parser.add_argument("job", type=int)
            add_changing(parser, reason="kept in its log")

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "show":
                self._show(_job(options.pop("job")), **options)
            case "stop" | "cancel":
                self._halt(_job(options.pop("job")), cancel=verb == "cancel", **options)
            case _:
                self._list(**options)

    def _list(self, *, limit: int = LIMIT, **options: Any) -> None:
        chosen = {name: options[name] for name in ("kind", "state") if options.get(name)}
        found = list(Job.objects.filter(**chosen).order_by("-id")[:limit])
        if options["json"]:
            self.stdout.write(
                json.dumps({"jobs": [_row(job) for job in found]}, cls=DjangoJSONEncoder)
            )
            return
        for job in found:
            self.stdout.write(self._line(job))
        if not found:
            self.stdout.write("No job is there.")

    def _line(self, job: Job) -> str:
        stage = f" stage {job.stage}," if job.stage else ""
        return (
            f"{job.pk}  {job.kind:<8} {job.state:<10}{stage} {jobs.summary(job)} of {job.total}  "
            f"by {job.actor}, {local_moment(job.created_at)}: {job.reason}"
        )

    def _show(self, job: Job, *, limit: int, outcome: str | None, **options: Any) -> None:
        items = job.items.order_by("id").filter(**({"outcome": outcome} if outcome else {}))[:limit]
        entries = job.log.order_by("id")
        if options["json"]:
            shown = {
                **_row(job),
                "log": list(entries.values("at", "by", "text")),
                "items": [_item(item) for item in items],
            }
            self.stdout.write(json.dumps(shown, cls=DjangoJSONEncoder))
            return
        self.stdout.write(self._line(job))
        self.stdout.write(f"  filter {json.dumps(job.filter)}")
        for entry in entries:
            by = f" ({entry.by})" if entry.by else ""
            self.stdout.write(f"  {local_moment(entry.at)}  {entry.text}{by}")
        for item in items:
            why = f": {item.why}" if item.why else ""
            self.stdout.write(f"  {named(item)}  {item.outcome}{why}")

    def _halt(
        self, job: Job, *, cancel: bool, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        done = Job.State.CANCELLED if cancel else Job.State.STOPPED
        if job.state not in Job.OPEN:
            raise CommandError(f"Job {job.pk} is {job.state} already.")
        if dry_run:
            self.stdout.write(f"job {job.pk} is {job.state}, would be {done}; nothing was done")
            return
        try:
            jobs.halt(job.pk, by=by or getuser(), why=reason, cancel=cancel)
        except jobs.Refused as error:  # it has come to its end meanwhile
            raise CommandError(error.message) from None
        self.stdout.write(f"job {job.pk} is {done}")


def _add_limit(parser: CommandParser) -> None:
    parser.add_argument("--limit", type=_limit, default=LIMIT, help=f"at most {MOST} (%(default)s)")


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


def _job(number: int) -> Job:
    job = Job.objects.filter(pk=number).first()
    if job is None:
        raise CommandError(f"There is no job {number}.")
    return job


def _row(job: Job) -> dict[str, Any]:
    times = ("created_at", "moved_at", "finished_at")
    return {**answer(job), **{name: getattr(job, name) for name in times}}


def _item(item: JobItem) -> dict[str, Any]:
    names = ("delivery_id", "dead_letter_id", "event_id", "dispatch_id", "subject", "consumer")
    return {
        **{name: getattr(item, name) for name in names},
        "generation": item.generation,
        "stage": item.stage,
        "outcome": item.outcome,
        "why": item.why,
    }
