"""A worker is alive by what it knows itself: not by its database, but by its event loop."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import httpx

from notifications.local.ports import free_port
from notifications.local.stack import Stack
from tests.conftest import Start
from tests.integration.outages import database_closed_to
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for


def health(bind: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"http://{bind}/healthz", timeout=5)
    return answer.status_code, answer.json()


def test_a_worker_without_a_database_is_alive_and_one_whose_event_loop_hangs_is_not(
    probes: Probes, start: Start, stack: Stack
) -> None:
    bind = f"127.0.0.1:{free_port()}"
    worker = start(
        [
            *(sys.executable, "-m", "celery", "-A", "tests.worker_app.hanging", "worker"),
            *("-Q", "probe", "--pool", "prefork", "--concurrency", "1", "--loglevel", "INFO"),
        ],
        name="worker-hanging",
        ready=" ready.",
        PROCESS_BIND=bind,
        PGAPPNAME="worker",
    )
    busy = probes.send("sleep", seconds=2)
    wait_for(lambda: probes.runs(busy))
    assert health(bind)[0] == 200
    with database_closed_to("worker", stack):
        wait_for(lambda: "OperationalError" in worker.log)
        assert health(bind)[0] == 200
        assert httpx.get(f"http://{bind}/readyz", timeout=5).status_code == 503
    os.kill(worker.pid, signal.SIGUSR2)
    wait_for(lambda: health(bind)[0] == 503)
    assert "its loop has not come round for" in health(bind)[1]["why"]
