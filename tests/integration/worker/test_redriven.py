"""What a service's worker makes of an event that comes once more."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from notifications import envelope
from notifications.local.processes import Process
from notifications.models import DeadLetter, Event, Handled, Job
from tests.conftest import Start
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for


def test_a_redriven_event_is_done_and_its_copies_are_not_done_again(
    probes: Probes, threads_worker: Callable[..., Process], relay: Start, start: Start
) -> None:
    number = probes.send("fail transiently", times=3)
    relay()
    threads_worker()
    wait_for(lambda: Handled.objects.filter(outcome="failed").exists(), within=30)
    wait_for(probes.is_empty)
    wait_for(DeadLetter.objects.exists, within=30, what="the relay to keep its dead letter")

    words = ["redrive", "--queue", "probe", "--reason", "mended", "--json"]
    redrive = start([sys.executable, "manage.py", *words], name="redrive")
    assert redrive.wait(within=60) == 0

    assert Job.objects.get().counts["done"] == 1
    assert json.loads(redrive.log)["state"] == "done"
    assert len(probes.runs(number)) == 4
    row = Handled.objects.get()
    assert (row.outcome, row.generation) == ("done", 1)
    assert DeadLetter.objects.get().state == "redriven"

    copy = envelope.write(Event.objects.get().envelope(generation=1))
    probes.send_text(copy, queue="probe-bulk")
    wait_for(lambda: probes.is_empty("probe-bulk"), within=30)
    assert len(probes.runs(number)) == 4
