"""What `resend`, `redrive` and `replay` share: one command, one job, from its filter to its end."""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications import jobs, undertakings
from notifications.filters import moment
from notifications.management.verbs import ChangingCommand, add_changing, read_by, whoever
from notifications.models import Job, JobItem
from notifications.undertakings import Reader
from notifications.work import Outcome, Verdict, Work

SHOWN = 20
"""Items that are named in words; in JSON, MOST_IN_JSON."""

MOST_IN_JSON = 1000
PROGRESS = 1.0
"""Seconds between two lines of progress."""

_STATES = {Job.State.STOPPED: 3, Job.State.CANCELLED: 3}
"""Exit statuses: a job that was stopped or cancelled is no success, and no wrong use either."""


class MendingCommand(ChangingCommand):
    """A subclass says what its filters are and what its work is."""

    filters: tuple[str, ...]
    """The options that `add_filters` adds."""
    rate: float
    """Items a second, unless told otherwise."""

    def add_filters(self, parser: CommandParser) -> None:
        raise NotImplementedError

    def wanted(self, options: dict[str, Any]) -> dict[str, Any]:
        """The filter, as the job's row keeps it. Raises CommandError for one that means nothing."""
        raise NotImplementedError

    def work(self) -> Work:
        raise NotImplementedError

    def row(self, subject: Any) -> dict[str, Any]:
        """How one thing is named to the operator."""
        raise NotImplementedError

    def stage(self) -> tuple[int, int] | None:
        return None

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_filters(parser)
        parser.add_argument("--since", type=_moment, help="not before: 2026-11-20T14:00, or 2h")
        parser.add_argument("--until", type=_moment, help="before this time")
        parser.add_argument("--rate", type=rate, help=f"items a second, at most ({self.rate:g})")
        parser.add_argument(
            "--job",
            type=read_by(undertakings.number),
            help="go on with this job, which has its filter",
        )
        parser.add_argument(
            "--new", action="store_true", help="cancel a stopped job of the same filter, begin anew"
        )
        parser.add_argument(
            "--relay", action="store_true", help="leave it to the relays, and do not wait for it"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        add_changing(parser, reason="why; it is kept", needed=False)

    def handle(self, **options: Any) -> None:
        try:
            self._handle(options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except jobs.Refused as error:
            raise CommandError(error.message) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database refuses: {str(error).splitlines()[0]} What was done is done, and "
                "the job goes on with --job."
            ) from None

    def _handle(self, options: dict[str, Any]) -> None:
        by = whoever(options["by"])
        if options["job"]:
            if any(options[name] for name in (*self.filters, *_NOT_WITH_JOB)):
                raise CommandError("A job has its filter: beside --job give --rate at most.")
            work = self.work()
            job = jobs.go_on(
                work,
                options["job"],
                by=by,
                rate=options["rate"],
                reason=options["reason"] or "",
                runner=_runner(options),
            )
        else:
            wanted = self.wanted(options) | self._times(options)
            work = self.work()
            undertakings.undertaking(work.kind).check(wanted)
            if options["dry_run"]:
                self._try_out(work, wanted, options)
                return
            job = self._begin(work, wanted, by, options)
        if options["relay"]:
            self._leave(job, as_json=options["json"])
        else:
            self._run(work, job, as_json=options["json"])

    def _times(self, options: dict[str, Any]) -> dict[str, Any]:
        return {name: options[name] for name in ("since", "until") if options[name]}

    def _begin(self, work: Work, wanted: dict[str, Any], by: str, options: dict[str, Any]) -> Job:
        if not options["reason"]:
            raise CommandError('Say why: --reason "…"; it is kept with the job.')
        override = options.get("override", False)
        alike = jobs.alike(work, wanted, override=override) if options["new"] else None
        if alike is not None and alike.state == Job.State.STOPPED:
            jobs.halt(alike.pk, by=by, why="begun anew", cancel=True)
        try:
            return jobs.begin(
                work,
                wanted,
                by=by,
                reason=options["reason"],
                rate=options["rate"] or self.rate,
                override=override,
                stage=self.stage(),
                runner=_runner(options),
            )
        except jobs.AlreadyOpen as error:
            raise CommandError(
                f"{error.message.rstrip('.')}: go on with --job {error.job.pk}, or manage.py jobs "
                f"cancel {error.job.pk}."
            ) from None

    def _try_out(self, work: Work, wanted: dict[str, Any], options: dict[str, Any]) -> None:
        tried = jobs.try_out(work, wanted, override=options.get("override", False))
        counts: dict[str, int] = {}
        for _, verdict in tried:
            counts[verdict.outcome] = counts.get(verdict.outcome, 0) + 1
        if options["json"]:
            items = [{**self.row(subject), **_words(verdict)} for subject, verdict in tried]
            answer = {"dry_run": True, "total": len(tried), "counts": counts}
            self.stdout.write(json.dumps({**answer, "items": items[:MOST_IN_JSON]}))
            return
        for subject, verdict in tried[:SHOWN]:
            words = "  ".join(str(value) for value in self.row(subject).values() if value != "")
            self.stdout.write(f"{words}  would be {_said(verdict)}")
        if len(tried) > SHOWN:
            self.stdout.write(f"… and {len(tried) - SHOWN} more")
        self.stdout.write(f"{jobs.summary(Job(counts=counts))}. Nothing was done.")

    def _leave(self, job: Job, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer(job)))
        else:
            self.stdout.write(
                f"job {job.pk}: {jobs.items(job.total)}, left to the relays: "
                f"manage.py jobs show {job.pk}"
            )

    def _run(self, work: Work, job: Job, *, as_json: bool) -> None:
        if not as_json:
            self.stdout.write(
                f"job {job.pk}: {jobs.items(job.total)}, {job.rate:g} a second at most"
            )
            self.stdout.flush()
        with _signals() as stopping:
            job = jobs.run(work, job.pk, said=self._progress(as_json), stopping=stopping)
        if as_json:
            self.stdout.write(json.dumps(answer(job)))
        else:
            self._conclude(job)
        if status := _STATES.get(Job.State(job.state)):
            raise SystemExit(status)

    def _progress(self, as_json: bool) -> Any:
        due = time.monotonic() + PROGRESS

        def said(job: Job) -> None:
            nonlocal due
            if not as_json and job.state == Job.State.RUNNING and time.monotonic() >= due:
                due = time.monotonic() + PROGRESS
                stage = f"stage {job.stage}, " if job.stage else ""
                self.stdout.write(f"  {stage}{jobs.summary(job)} of {job.total}")
                self.stdout.flush()

        return said

    def _conclude(self, job: Job) -> None:
        told = job.items.exclude(why="").order_by("id")
        for item in told[:SHOWN]:
            self.stdout.write(f"  {named(item)}  {item.get_outcome_display()}: {item.why}")
        if (more := told.count() - SHOWN) > 0:
            self.stdout.write(f"  … and {more} more: manage.py jobs show {job.pk}")
        self.stdout.write(f"job {job.pk} is {job.get_state_display()}: {jobs.summary(job)}")
        if job.state == Job.State.STOPPED:
            last = job.log.order_by("id").last()
            self.stdout.write(self.style.WARNING(f"{last}; go on with --job {job.pk}"))


def answer(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    return {
        "job": job.pk,
        "kind": job.kind,
        "state": job.state,
        "runner": job.runner,
        "filter": job.filter,
        "actor": job.actor,
        "reason": job.reason,
        "override": job.override,
        "rate": job.rate,
        "stage": job.stage,
        "total": job.total,
        "counts": {name: count for name, count in job.counts.items() if count},
    }


def named(item: JobItem) -> str:
    """What an item is about: its id, for many have one subject and some none."""
    return f"{item.delivery_id or item.dead_letter_id or item.event_id}  {item.subject}".rstrip()


def add_named(
    parser: CommandParser, name: str, help: str, reader: Reader = undertakings.text
) -> None:
    """A filter that may be given several values, at once or one after the other."""
    kind = read_by(reader)
    parser.add_argument(f"--{name}", nargs="+", action="extend", default=[], type=kind, help=help)


def given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the filters that were given, each in one order, so that equal ones are equal."""
    return {name: sorted(set(options[name])) for name in names if options[name]}


def _runner(options: dict[str, Any]) -> Job.Runner:
    return Job.Runner.RELAY if options["relay"] else Job.Runner.PROCESS


_NOT_WITH_JOB = ("since", "until", "dry_run", "new")


def _moment(text: str) -> str:
    try:
        moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not jobs.SLOWEST <= rate <= jobs.FASTEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no rate: give items a second, {jobs.SLOWEST:g} to {jobs.FASTEST:g}"
        )
    return rate


def _words(verdict: Verdict) -> dict[str, Any]:
    return {"outcome": verdict.outcome, **({"why": verdict.why} if verdict.why else {})}


def _said(verdict: Verdict) -> str:
    label = Outcome(verdict.outcome).label
    return f"{label}: {verdict.why}" if verdict.why else str(label)


@contextmanager
def _signals() -> Iterator[Any]:
    """Whether this process has been asked to end: the item in hand is finished first."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
