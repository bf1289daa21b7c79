"""`manage.py jobs`: bulk work, begun and looked after: by whom, why, and how far it came."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.datastructures import MultiValueDict

from notifications import jobs, undertakings, weighing
from notifications.management.mending import answer, named, rate
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    up_to,
    whoever,
)
from notifications.models import Job, JobItem
from notifications.undertakings import Undertaking

LIMIT, MOST = 20, 1000


class Command(VerbCommand):
    help = (
        "List jobs, the latest first; show one with its log and items; begin one that the relays "
        "run; pause or cancel one, within its current item, or let the relays go on with it; "
        "change its rate. Without a verb, the list."
    )
    verbs = ("list", "show", "begin", "pause", "resume", "cancel", "set-rate")

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
        begin = verbs.add_parser("begin", help="bulk work, as the page begins it")
        begin.add_argument(
            "kind", choices=[str(each.kind) for each in undertakings.all_undertakings()]
        )
        begin.add_argument(
            "filter", nargs="+", type=_filter, help="channel=email state=failed limit=5"
        )
        begin.add_argument("--rate", type=rate, help="items a second, at most")
        begin.add_argument("--override", action="store_true", help="also what is no longer true")
        begin.add_argument("--at-once", action="store_true", help="a redrive without its stages")
        begin.add_argument("--json", action="store_true", help="print one JSON object")
        add_changing(begin, reason="kept with it; needed, but for --dry-run", needed=False)
        for verb, aliases, help in (
            ("pause", ["stop"], "pause it; `resume` it, or its command's --job"),
            ("resume", [], "let the relays go on with it, whoever ran it before"),
            ("cancel", [], "end it for good; what it has put on its way stays there"),
            ("set-rate", [], "change how many a second, from its next item on"),
        ):
            parser = verbs.add_parser(verb, aliases=aliases, help=help)
            parser.add_argument("job", type=int)
            if verb == "set-rate":
                parser.add_argument("rate", type=rate)
            add_changing(parser, reason="kept in its log")

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "show":
                self._show(_job(options.pop("job")), **options)
            case "begin":
                self._begin(**options)
            case "pause" | "stop" | "cancel":
                self._halt(_job(options.pop("job")), cancel=verb == "cancel", **options)
            case "resume":
                self._resume(_job(options.pop("job")), **options)
            case "set-rate":
                self._set_rate(_job(options.pop("job")), **options)
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

    def _begin(
        self, *, kind: str, filter: list[tuple[str, str]], rate: float | None, **options: Any
    ) -> None:
        chosen = undertakings.undertaking(kind)
        given = MultiValueDict[str, str]()
        for name, value in filter:
            given.appendlist(name, value)
        try:
            wanted = chosen.read(given)
            if options["dry_run"]:
                self._weigh(chosen, wanted, **options)
                return
            if not options["reason"]:
                raise CommandError('Say why: --reason "…"; it is kept with the job.')
            job = jobs.begin(
                chosen.work(),
                wanted,
                by=whoever(options["by"]),
                reason=options["reason"],
                rate=rate or chosen.rate,
                override=options["override"],
                stage=chosen.stage(at_once=options["at_once"]),
                runner=Job.Runner.RELAY,
            )
        except jobs.Refused as error:
            raise CommandError(error.message) from None
        if options["json"]:
            self.stdout.write(json.dumps(_row(job), cls=DjangoJSONEncoder))
        else:
            self.stdout.write(f"job {job.pk}: {jobs.items(job.total)}, left to the relays")

    def _weigh(self, chosen: Undertaking, wanted: dict[str, Any], **options: Any) -> None:
        weighed = weighing.weigh(chosen, wanted, override=options["override"])
        if options["json"]:
            said = {
                "total": weighed.total,
                "groups": dict(weighed.groups),
                "looked_at": weighed.looked_at,
                "would": weighed.would,
                "left": [{"why": each.why, "count": each.count} for each in weighed.left],
            }
            self.stdout.write(json.dumps({"dry_run": True, **said}))
            return
        for name, count in weighed.groups:
            self.stdout.write(f"  {name}: {count}")
        for each in weighed.left:
            self.stdout.write(f"  {each.outcome}: {each.why}: {each.count}")
        self.stdout.write(
            f"{jobs.items(weighed.total)}; of the first {weighed.looked_at}, {weighed.would} would "
            "be done. Nothing was done."
        )

    def _resume(self, job: Job, *, by: str, reason: str, dry_run: bool, **_options: Any) -> None:
        _refuse_over(job)
        if dry_run:
            self.stdout.write(f"job {job.pk} is {job.state}; nothing was done")
            return
        work = undertakings.work_of(job.kind)
        relay = Job.Runner.RELAY
        try:
            jobs.go_on(work, job.pk, by=whoever(by), reason=reason, runner=relay)
        except jobs.Refused as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"job {job.pk} is running, by the relays")

    def _set_rate(
        self, job: Job, *, rate: float, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        _refuse_over(job)
        try:
            undertakings.undertaking(job.kind).check_rate(rate)
            if not dry_run:
                jobs.set_rate(job.pk, rate, by=whoever(by), reason=reason)
        except jobs.Refused as error:
            raise CommandError(error.message) from None
        done = "would have" if dry_run else "has"
        self.stdout.write(f"job {job.pk} {done} a rate of {rate:g} a second")

    def _halt(
        self, job: Job, *, cancel: bool, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        done = Job.State.CANCELLED if cancel else Job.State.STOPPED
        _refuse_over(job)
        if dry_run:
            self.stdout.write(f"job {job.pk} is {job.state}, would be {done}; nothing was done")
            return
        try:
            jobs.halt(job.pk, by=whoever(by), why=reason, cancel=cancel)
        except jobs.Refused as error:  # it has come to its end meanwhile
            raise CommandError(error.message) from None
        self.stdout.write(f"job {job.pk} is {done}")


def _add_limit(parser: CommandParser) -> None:
    parser.add_argument(
        "--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST} (%(default)s)"
    )


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is no filter: give channel=email")
    return name, value


def _job(number: int) -> Job:
    job = Job.objects.filter(pk=number).first()
    if job is None:
        raise CommandError(f"There is no job {number}.")
    return job


def _refuse_over(job: Job) -> None:
    if job.state not in Job.OPEN:
        raise CommandError(f"Job {job.pk} is {job.state} already.")


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
