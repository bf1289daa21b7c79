"""`manage.py queues` on real queues: what lies in them, who serves them, how quickly they empty."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from notifications import consumers, keeper, topology
from notifications.aws import clients, sqs
from notifications.aws.clients import client
from notifications.consumers import Consumer
from notifications.local.ports import free_port
from notifications.models import DeadLetter, Delivery, Event, Handled, WorkerProcess
from notifications.models.worker_process import SILENCE
from tests.conftest import Start
from tests.integration.operator_rows import make_delivery, make_event
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aws")]


def show(*arguments: str) -> str:
    out = StringIO()
    call_command("queues", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def listed(*arguments: str) -> dict[str, dict[str, Any]]:
    return {queue["name"]: queue for queue in json.loads(show("--json", *arguments))["queues"]}


def cells(name: str) -> list[str]:
    return next(line.split() for line in show().splitlines() if line.split()[0] == name)


def put(name: str, count: int, **options: Any) -> None:
    url = sqs.queue_url(topology.current().queue(name).physical)
    for _ in range(count):
        client("sqs").send_message(QueueUrl=url, MessageBody="{}", **options)


def worker(*queues: str, last_poll: float | None = 1.5, **fields: Any) -> WorkerProcess:
    made = WorkerProcess(
        name="worker@host",
        host="host",
        pid=7,
        pool="threads",
        queues=[
            {"name": name, "last_poll": last_poll, "under_way": 1, "held_by": ""} for name in queues
        ],
        **fields,
    )
    WorkerProcess.objects.report(made)
    return made


@pytest.mark.S1
def test_the_depth_of_every_queue_and_dead_letter_queue_is_shown_by_one_command() -> None:
    put("email", 3)
    put("email-bulk", 1)
    put("sms", 1, DelaySeconds=600)
    put("sms-dlq", 2)
    url = sqs.queue_url(topology.current().queue("email").physical)
    client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=600)

    found = listed()

    assert set(found) == {queue.name for queue in topology.current().queues}
    depths = {
        name: (queue["visible"], queue["in_flight"], queue["delayed"])
        for name, queue in found.items()
        if queue["visible"] or queue["in_flight"] or queue["delayed"]
    }
    assert depths == {
        "email": (2, 1, 0),
        "email-bulk": (1, 0, 0),
        "sms": (0, 0, 1),
        "sms-dlq": (2, 0, 0),
    }
    assert cells("email")[1:4] == ["2", "1", "0"]


def test_dead_letters_are_those_in_sqs_and_those_that_are_open_here() -> None:
    put("email-dlq", 2)
    DeadLetter.objects.create(queue="email-bulk", message_id="m", body=b"{}", reason="failed")

    found = listed()

    assert found["email"]["dead_letters"] == {"in_sqs": 2, "open": 1}
    assert found["email-dlq"]["dead_letters"] == {"in_sqs": 2, "open": 1}
    assert found["email-bulk"]["dead_letters"] is None
    assert cells("email")[5] == "3"
    assert cells("email-dlq")[-3:] == ["1", "open", "here"]
    assert {each.consumer: each.total for each in keeper.depths()}["email"] == 3


def test_the_oldest_is_told_by_what_has_no_outcome_yet() -> None:
    event = make_event(1)
    Event.objects.filter(pk=event.pk).update(
        recorded_at=timezone.now() - timedelta(minutes=7), expected=["email"]
    )
    found = listed()
    assert found["email"]["oldest_age"] == pytest.approx(420, abs=60)
    assert found["sms"]["oldest_age"] is None
    assert cells("email")[4:6] == ["7", "min"]

    delivery = make_delivery(event, state="sent")
    assert listed()["email"]["oldest_age"] is None
    Delivery.objects.filter(pk=delivery.pk).update(
        state="pending", generation=1, updated_at=timezone.now() - timedelta(minutes=3)
    )
    assert listed()["email-bulk"]["oldest_age"] == pytest.approx(180, abs=60)
    Delivery.objects.filter(pk=delivery.pk).update(state="unknown")
    assert listed()["email-bulk"]["oldest_age"] is None, "a person looks it up"


def test_a_backlog_is_divided_by_the_rate_of_the_last_minutes() -> None:
    put("email", 5)
    put("email-bulk", 2)
    assert listed()["email"]["drains_in"] is None
    assert "never" in cells("email")
    assert listed()["sms"]["drains_in"] == 0

    for number in range(10):
        made = make_delivery(make_event(number))
        Delivery.objects.filter(pk=made.pk).update(sent_at=Now() - timedelta(seconds=20))
    assert listed()["email"]["drains_in"] is None, "nobody serves it"
    worker("email", "email-bulk")
    found = listed()

    assert found["email"]["rate"] == pytest.approx(0.5, rel=0.5)
    assert found["email"]["drains_in"] == pytest.approx(5 / found["email"]["rate"])
    assert found["email-bulk"]["drains_in"] == pytest.approx(7 / found["email"]["rate"])


def test_workers_that_serve_a_queue_are_counted_with_their_last_poll() -> None:
    worker("email", "email-bulk")
    worker("email", last_poll=None)
    silent = worker("sms")
    WorkerProcess.objects.filter(pk=silent.pk).update(
        beat_at=Now() - SILENCE - timedelta(seconds=9)
    )

    found = listed()

    assert len(found["email"]["workers"]) == 2
    polled = [server["last_poll"] for server in found["email"]["workers"]]
    assert None in polled
    assert any(age is not None and age >= 1.5 for age in polled)
    assert found["sms"]["workers"] == []
    assert cells("sms")[-3:] == ["nobody", "serves", "it"]
    assert cells("email")[-1] == "running"


def test_a_consumer_that_keeps_no_inbox_is_not_known_to_be_behind() -> None:
    consumers.register(Consumer("scout", task="tests.scout", wants=None, inbox=False))
    try:
        call_command("provision", verbosity=0)
        assert listed()["scout"]["oldest_age"] is None
        assert cells("scout")[4] == "?"
    finally:
        consumers.unregister("scout")


@pytest.fixture
def away(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQS does not answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{free_port()}")
    clients.forget()
    yield
    clients.forget()


@pytest.mark.usefixtures("away")
def test_while_sqs_is_away_it_says_so_and_shows_the_rest() -> None:
    worker("email")
    event = make_event(1)
    Event.objects.filter(pk=event.pk).update(recorded_at=timezone.now() - timedelta(minutes=7))
    DeadLetter.objects.create(queue="email", message_id="m", body=b"{}", reason="failed")

    told = json.loads(show("--json"))

    assert "Could not connect" in told["trouble"]
    email = next(queue for queue in told["queues"] if queue["name"] == "email")
    assert (email["visible"], email["drains_in"]) == (None, None)
    assert email["oldest_age"] == pytest.approx(420, abs=60)
    assert email["dead_letters"] == {"in_sqs": None, "open": 1}
    assert len(email["workers"]) == 1
    printed = show()
    assert "SQS does not tell: Could not connect" in printed.splitlines()[0]
    assert "1+?" in printed


def test_a_queue_that_was_never_made_is_said_to_be_missing() -> None:
    name = topology.current().queue("push").physical
    client("sqs").delete_queue(QueueUrl=sqs.queue_url(name))
    sqs.forget()
    printed = show()
    assert f"queue {name} does not exist: run `manage.py provision`" in printed.splitlines()[0]
    assert cells("push")[1:4] == ["?", "?", "?"]
    assert cells("email")[1:4] == ["0", "0", "0"]


def test_lag_is_shown_of_so_many_minutes() -> None:
    consumers.register(Consumer("ledger", task="tests.ledger", wants=None))
    try:
        call_command("provision", verbosity=0)
        event = make_event(1)
        event.dispatches.update(state="published", published_at=Now() - timedelta(minutes=40))
        half_an_hour_ago = timezone.now() - timedelta(minutes=30)
        Handled.objects.create(
            consumer="ledger", event_id=event.pk, outcome="done", received_at=half_an_hour_ago,
            done_at=half_an_hour_ago,
        )  # fmt: skip
        assert listed()["ledger"]["lag"] == {"p50": None, "p95": None, "count": 0}
        assert listed("--minutes", "60")["ledger"]["lag"]["p95"] == pytest.approx(600, abs=5)
    finally:
        consumers.unregister("ledger")


@pytest.mark.django_db(transaction=True)
def test_a_watch_looks_again_until_ctrl_c(start: Start) -> None:
    command = [sys.executable, "manage.py", "queues", "--json", "--watch", "0.2"]
    watch = start(command, name="queues", ready='"queues"')
    wait_for(lambda: watch.log.count('"event_types"') >= 3, within=30, what="three looks")

    os.kill(watch.pid, signal.SIGINT)

    assert watch.wait(within=30) == 0
    assert "Traceback" not in watch.log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--watch", "0"], "no number of seconds"),
        (["--watch", "soon"], "no number of seconds"),
        (["--minutes", "0"], "whole number from 1"),
        (["list", "--minutes", "x"], "whole number from 1"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        show(*arguments)
