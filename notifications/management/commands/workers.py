"""`manage.py workers`: who consumes, since when, what they hold, and who went missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications.models import WorkerProcess

ENDED_WITHIN = timedelta(days=1)
COLUMNS = ("NAME", "HOST", "PID", "POOL", "STATE", "BEAT", "RUNNING/HELD/SLOTS")


class Command(BaseCommand):
    help = (
        "List the worker processes: each writes every 5 s what it does, and is lost after 30 s "
        "of silence. A queue is shown with the time since its last poll."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="also those that ended within the last day"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        ended_within = ENDED_WITHIN if options["all"] else None
        try:
            WorkerProcess.objects.mark_lost()
            workers = list(WorkerProcess.objects.of_late(ended_within=ended_within))
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if options["json"]:
            self.stdout.write(json.dumps({"workers": [_as_json(worker) for worker in workers]}))
        elif workers:
            self._print(workers)
        else:
            self.stdout.write("No worker is alive. Start one: celery -A <project> worker")

    def _print(self, workers: Sequence[WorkerProcess]) -> None:
        """A line for each worker, and below it its queues and its trouble."""
        rows = [COLUMNS, *(_cells(worker) for worker in workers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        below = ["", *(_queues(worker) for worker in workers)]
        trouble = ["", *(worker.trouble for worker in workers)]
        for row, queues, said in zip(rows, below, trouble, strict=True):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())
            if queues:
                self.stdout.write(f"    {queues}")
            if said:
                self.stdout.write(self.style.WARNING(f"    {said}"))


def _cells(worker: WorkerProcess) -> Sequence[str]:
    return (
        worker.name,
        worker.host,
        str(worker.pid),
        f"{worker.pool} {worker.concurrency}",
        worker.state,
        f"{_silence(worker):.0f} s ago",
        f"{worker.running}/{worker.held}/{worker.slots}",
    )


def _queues(worker: WorkerProcess) -> str:
    return ", ".join(_queue(worker, queue) for queue in worker.queues)


def _queue(worker: WorkerProcess, queue: Mapping[str, Any]) -> str:
    said = [] if (age := _poll_age(worker, queue)) is None else [f"{age:.0f} s"]
    if queue["held_by"]:
        said.append(queue["held_by"])
    return f"{queue['name']} ({'; '.join(said) or 'not polled yet'})"


def _poll_age(worker: WorkerProcess, queue: Mapping[str, Any]) -> float | None:
    """Seconds since its last receive began. Of a process that has ended: when it ended."""
    at_beat: float | None = queue["last_poll"]
    if at_beat is None or worker.state not in WorkerProcess.ALIVE:
        return at_beat
    return at_beat + _silence(worker)


def _silence(worker: Any) -> float:
    silent_for: timedelta = worker.silent_for  # annotated by `of_late`
    return max(0.0, silent_for.total_seconds())


def _as_json(worker: WorkerProcess) -> dict[str, Any]:
    ended = worker.ended_at
    return {
        "id": str(worker.id),
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "pool": worker.pool,
        "concurrency": worker.concurrency,
        "state": worker.state,
        "started_at": worker.started_at.isoformat(),
        "beat_at": worker.beat_at.isoformat(),
        "beat_age": round(_silence(worker), 1),
        "ended_at": ended.isoformat() if ended else None,
        "queues": [{**queue, "last_poll": _poll_age(worker, queue)} for queue in worker.queues],
        "held": worker.held,
        "running": worker.running,
        "slots": worker.slots,
        "slots_used": worker.slots_used,
        "counts": worker.counts,
        "trouble": worker.trouble,
    }
