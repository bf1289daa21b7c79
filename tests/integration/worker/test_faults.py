"""SQS fails, throttles, hangs and loses entries; the database goes away. Consumption goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, connections

from notifications.local.faults import FaultClient
from notifications.local.processes import Process
from notifications.local.stack import Stack
from notifications.models import DeadLetter, WorkerProcess
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]

ROW_FAILED = "The worker's row could not be written"

FAILED_RECEIVES: list[tuple[str, dict[str, object]]] = [
    ("error", {"status": 503}),
    ("error", {"status": 400, "code": "AccessDenied"}),
    ("throttle", {}),
    ("hang_up", {}),
]


@pytest.mark.trap(1)
def test_receives_that_fail_do_not_end_consumption(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    worker = far_worker()
    assert probes.are_served()
    for number, (kind, details) in enumerate(FAILED_RECEIVES, start=1):
        faults.fault(kind, actions=["ReceiveMessage"], **details)  # type: ignore[arg-type]
        wait_for(partial(says, worker, "Cannot receive from test-probe:", number))
        faults.clear()
        assert probes.are_served()
        wait_for(partial(says, worker, "Receiving from test-probe again", number))
        said = worker.log.count("Cannot receive from test-probe:")
        assert said == number, "said once, not for each try"


def says(worker: Process, text: str, times: int) -> bool:
    return worker.log.count(text) == times


def test_a_dead_letter_queue_out_of_reach_loses_no_dead_letter(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    faults.fault("error", actions=["SendMessage"], containing="dlq")
    number = probes.send("fail for good")
    far_worker()
    wait_for(probes.is_empty)
    row = DeadLetter.objects.get()
    assert (row.reason, row.subject) == ("probe_permanent", f"probe/{number}")


def test_a_queue_that_is_missing_is_waited_for(probes: Probes, threads_worker: Start) -> None:
    url = probes.url("probe")
    attributes = probes.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    probes.sqs.delete_queue(QueueUrl=url)
    worker = threads_worker()
    wait_for(lambda: "queue test-probe does not exist: run `manage.py provision`" in worker.log)
    probes.sqs.create_queue(QueueName="test-probe", Attributes=attributes["Attributes"])
    assert probes.are_served()


def test_an_unknown_consumer_is_refused_with_the_list_of_those_there_are(
    probes: Probes, start: Callable[..., Process]
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Q", "probe,pigeon"]
    worker = start(command, name="misnamed")
    assert worker.wait(within=30) != 0
    assert "-Q names pigeon, which is no consumer; there are: " in worker.log
    assert "Traceback" not in worker.log


def test_a_worker_that_lacks_settings_says_so_and_ends(
    probes: Probes, start: Callable[..., Process]
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Q", "probe"]
    worker = start(command, name="unset", DATABASE_URL="", DJANGO_SECRET_KEY="")
    assert worker.wait(within=30) == 1
    assert "notifications.E014" in worker.log
    assert "shop.E001" in worker.log
    assert "HINT: " in worker.log
    assert "Traceback" not in worker.log


def test_a_pool_that_would_not_poll_is_refused_however_it_is_asked_for(
    probes: Probes, start: Callable[..., Process]
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Psolo"]
    worker = start(command, name="solo")
    assert worker.wait(within=30) not in (0, None)
    assert "worker_pool is 'solo', but consuming events needs 'threads' or 'prefork'" in worker.log


def test_a_worker_whose_metrics_have_no_place_says_so_and_ends(
    probes: Probes, start: Callable[..., Process]
) -> None:
    """Celery would log what its preparations raise, and fork children that share their parent's
    connections to the database."""
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Q", "probe"]
    places = {"PROMETHEUS_MULTIPROC_DIR": "/dev/null/metrics", "PROCESS_BIND": "127.0.0.1:0"}
    worker = start([*command, "-P", "prefork"], name="placeless", **places)
    assert worker.wait(within=30) == 1
    assert "No metrics could be kept: " in worker.log
    assert "Traceback" not in worker.log


def test_with_the_database_away_nothing_is_received(
    probes: Probes, threads_worker: Start, environment: dict[str, str]
) -> None:
    away = environment["DATABASE_URL"].rpartition("/")[0] + "/no-such-database"
    probes.send("query")
    worker = threads_worker(DATABASE_URL=away)
    wait_for(lambda: "The database is away, nothing is received until it is back" in worker.log)
    assert probes.counts() == (1, 0)


def test_a_database_that_went_away_is_waited_for_by_the_tasks_and_the_worker_s_row(
    probes: Probes, threads_worker: Start, stack: Stack
) -> None:
    worker = threads_worker(PROBE_MAX_SECONDS="60")
    assert probes.are_served()
    before = WorkerProcess.objects.get()
    database = stack.part("postgres")
    database.stop()
    try:
        probes.send_many(["query"] * 6, record=False)
        wait_for(lambda: "The database is away" in worker.log, within=20)
        wait_for(lambda: ROW_FAILED in worker.log, within=20)
    finally:
        database.start()
        connections.close_all()
        connection.close_pool()
    wait_for(probes.is_empty, within=30)
    assert "The database is back" in worker.log
    assert not probes.dead_letters()
    wait_for(lambda: WorkerProcess.objects.get().beat_at > before.beat_at, within=40)
    assert worker.log.count(ROW_FAILED) == 1
    assert WorkerProcess.objects.get().state == WorkerProcess.State.RUNNING


def test_a_database_that_only_reads_is_waited_for_and_left(
    probes: Probes, threads_worker: Start
) -> None:
    """As after a failover: the pool's connections lead to what is a replica now."""
    name = connection.settings_dict["NAME"]
    worker = threads_worker()
    number = probes.send("fail transiently", times=2)
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
        try:
            another = probes.send("fail transiently", times=1)
            wait_for(lambda: ": ReadOnlySqlTransaction" in worker.log, within=20)
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    connections.close_all()
    connection.close_pool()  # of this process: what it had in reserve was ended, too
    wait_for(probes.is_empty, within=30)
    assert "The database is back" in worker.log
    assert probes.runs(number)
    assert probes.runs(another)
    assert not probes.dead_letters()
