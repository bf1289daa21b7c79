"""Consumers whose tasks do what the event says, and leave a line in a file for each run."""

from __future__ import annotations

import errno
import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Task, shared_task
from django.db import DatabaseError, connection, transaction

from notifications.consumers import register
from notifications.envelope import Envelope
from notifications.exceptions import Busy, PermanentError, TransientError
from notifications.worker import broker, request
from notifications.worker.task import EventTask
from tests.worker_app.queues import CONSUMERS, crowd

# As impatient as the settings beside: the same waits, shorter.
request.WAIT_AFTER_LOSS = 2
broker.ANSWER_SECONDS = float(os.environ.get("PROBE_ANSWER_SECONDS", broker.ANSWER_SECONDS))

_crowd = crowd(int(os.environ.get("PROBE_CROWD", "0")), bulk="PROBE_CROWD_BULK" in os.environ)
for consumer in (*CONSUMERS, *_crowd):
    register(consumer)


def runs(number: int | None = None) -> list[str]:
    """One line for each run of a task so far; its second word is the event's number."""
    path = Path(os.environ["PROBE_LOG"])
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if number is None or line.split()[1] == str(number)]


def _probe(task: Task[Any, Any], envelope: Envelope) -> None:
    number, script = envelope.data["number"], envelope.data["script"]
    if script == "leave no trace":
        return
    with Path(os.environ["PROBE_LOG"]).open("a") as log:
        log.write(f"{task.name} {number} {task.request.retries} {os.getpid()} {time.time()}\n")
    runs_so_far = len(runs(number))
    match script:
        case "succeed":
            pass
        case "query":
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        case "fail transiently" if runs_so_far <= envelope.data["times"]:
            wait = envelope.data.get("seconds") or 1
            raise TransientError("not now", code="probe_transient", retry_after=wait)
        case "be busy" if runs_so_far <= envelope.data["times"]:
            raise Busy("somebody else has it", seconds=envelope.data.get("seconds", 1))
        case "fail for good":
            raise PermanentError("never, says mallory@example.org", code="probe_permanent")
        case "have a bug":
            raise ZeroDivisionError("division by zero")
        case "go on in a broken transaction":
            with transaction.atomic(), connection.cursor() as cursor:
                with suppress(DatabaseError):
                    cursor.execute("SELECT 1 / 0")
                cursor.execute("SELECT 1")
        case "take too long":
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 1")
                cursor.execute("SELECT pg_sleep(1)")
        case "wait for no number" if runs_so_far == 1:
            raise TransientError("not now", retry_after=math.nan)
        case "wait long" if runs_so_far == 1:
            raise TransientError("see you tomorrow", retry_after=24 * 3600)
        case "sleep":
            time.sleep(envelope.data["seconds"])
        case "hang" if runs_so_far <= envelope.data["times"]:
            time.sleep(600)
        case "sleep and tell":
            time.sleep(envelope.data["seconds"])
            with Path(os.environ["PROBE_LOG"]).open("a") as log:
                log.write(f"done {number} {task.request.retries} {os.getpid()} {time.time()}\n")
        case "exit":
            raise SystemExit(1)
        case "run out of memory":
            raise MemoryError
        case "run out of files" if runs_so_far <= envelope.data["times"]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/etc/hosts")
        case "die" if runs_so_far <= envelope.data["times"]:
            os._exit(1)


options: dict[str, Any] = {
    "bind": True,
    "base": EventTask,
    "autoretry_for": (TransientError,),
    "max_retries": 2,
    "retry_backoff": 1,
    "retry_backoff_max": 2,
}
run = shared_task(name="probe.run", **options)(_probe)
other = shared_task(name="probe.other", **options)(_probe)
