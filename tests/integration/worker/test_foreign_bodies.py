"""Whatever anybody puts on a queue: the worker lives, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django_celery_results.models import TaskResult

from notifications.local.processes import Process
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

CELERY_MESSAGE = json.dumps(
    {
        "body": "W1sibGVhdmUgbm8gdHJhY2UiXSwge30sIHt9XQ==",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "probe.run", "id": "6f1ad1c2", "argsrepr": "()"},
        "properties": {"body_encoding": "base64", "delivery_info": {"routing_key": "probe"}},
    }
)
BODIES = [
    "hello",
    "[]",
    "null",
    '"probe.happened"',
    '{"properties":[]}',
    '{"properties":{"delivery_info":null},"body":"x"}',
    '{"properties":{"body_encoding":"rot13"},"body":"x","headers":{"task":"probe.run"}}',
    CELERY_MESSAGE,
    CELERY_MESSAGE.replace("probe.run", "celery.backend_cleanup"),
    '{"specversion":"1.0","type":"probe.happened","data":{"number":"\\u0000"}}',
    '{"event_type":"probe.happened","number":"\\ud800","timestamp":"2026-11-27T06:00:00Z"}',
    '{"Type":"SubscriptionConfirmation","SubscribeURL":"https://example.org/"}',
    "[" * 100_000,
    '{"a":' * 40_000,
]


@pytest.mark.trap(3)
def test_every_body_that_is_no_event_is_quarantined_and_the_worker_lives(
    probes: Probes, probe_worker: Callable[..., Process]
) -> None:
    sent = {probes.send_text(body) for body in BODIES}
    worker = probe_worker()
    wait_for(probes.is_empty, within=20)
    letters = probes.dead_letters()
    assert {
        each["MessageAttributes"]["source_message_id"]["StringValue"] for each in letters
    } == sent
    assert {each["Body"] for each in letters} == set(BODIES)
    assert {each["MessageAttributes"]["reason"]["StringValue"] for each in letters} == {
        "not_an_event"
    }
    assert not probes.runs()
    number = probes.send("succeed")
    wait_for(lambda: probes.runs(number))
    assert worker.alive
    assert "Traceback" not in worker.log


def test_an_event_of_unknown_type_waits_where_it_is(
    probes: Probes, threads_worker: Callable[..., Process]
) -> None:
    probes.send_text('{"event_type":"probe.vanished","timestamp":"2026-11-27T06:00:00Z"}')
    threads_worker()
    number = probes.send("succeed")
    wait_for(lambda: probes.runs(number))
    wait_for(lambda: probes.counts() == (0, 1), what="the unknown event to be hidden")
    assert not probes.dead_letters()


@pytest.mark.S1
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_event_of_another_publisher_is_run_wrapped_or_not(
    probes: Probes, threads_worker: Callable[..., Process], wrapped: bool
) -> None:
    body = json.dumps(
        {"event_type": "probe.happened", "number": 900_001, "timestamp": "2026-11-27T06:00:00Z"}
    )
    probes.send_text(json.dumps({"Type": "Notification", "Message": body}) if wrapped else body)
    threads_worker()
    wait_for(probes.is_empty)
    assert len(probes.runs(900_001)) == 1


def test_a_failed_task_keeps_of_a_foreign_event_only_what_our_model_knows(
    probes: Probes, threads_worker: Callable[..., Process]
) -> None:
    body = json.dumps(
        {
            "event_type": "probe.happened",
            "number": 900_002,
            "script": "fail for good",
            "timestamp": "2026-11-27T06:00:00Z",
            "email": "ann.secret@example.org",
        }
    )
    probes.send_text(body)
    worker = threads_worker()
    wait_for(probes.is_empty)
    row = TaskResult.objects.get()
    assert "probe/900002" in row.task_args
    assert "ann.secret" not in row.task_args
    assert "ann.secret" not in worker.log
    assert [letter["Body"] for letter in probes.dead_letters()] == [body]
