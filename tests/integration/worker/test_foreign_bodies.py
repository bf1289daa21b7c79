"""Whatever anybody puts on a queue: the worker lives, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django_celery_results.models import TaskResult

from notifications.local.processes import Process
from tests.integration.worker.conftest import Probes, made_once
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

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


FLAT = {"event_type": "probe.happened", "timestamp": "2026-11-27T06:00:00Z"}
RAW, WRAPPED, FAILING = 900_001, 900_002, 900_003
"""Numbers of events of another publisher: as it is, in SNS's envelope, and one whose task fails."""

FROM_ELSEWHERE = {
    RAW: json.dumps({**FLAT, "number": RAW}),
    WRAPPED: json.dumps(
        {"Type": "Notification", "Message": json.dumps({**FLAT, "number": WRAPPED})}
    ),
    FAILING: json.dumps(
        {**FLAT, "number": FAILING, "script": "fail for good", "email": "ann.secret@example.org"}
    ),
}
UNKNOWN = json.dumps({**FLAT, "event_type": "probe.vanished"})


@dataclass(frozen=True)
class Seen:
    """What one worker made of all of them: lines of runs, dead letters, and the rest."""

    runs: list[str]
    letters: list[dict[str, Any]]
    sent: set[str]
    counts: tuple[int, int]
    failed: list[TaskResult]
    alive: bool
    log: str

    def run(self, number: int) -> int:
        """How often."""
        return sum(line.split()[1] == str(number) for line in self.runs)


def _look(probes: Probes, start: Callable[..., Process]) -> Seen:
    sent = {probes.send_text(body) for body in BODIES}
    for body in (*FROM_ELSEWHERE.values(), UNKNOWN):
        probes.send_text(body)
    worker = start()
    wait_for(lambda: probes.counts() == (0, 1), within=30, what="all but the unknown one to go")
    assert probes.are_served()
    wait_for(lambda: probes.counts() == (0, 1), what="the unknown event to be hidden")
    return Seen(
        runs=probes.runs(),
        letters=probes.dead_letters(),
        sent=sent,
        counts=probes.counts(),
        failed=list(TaskResult.objects.all()),
        alive=worker.alive,
        log=worker.log,
    )


seen = made_once(_look)


@pytest.mark.trap(3)
def test_every_body_that_is_no_event_is_quarantined_and_the_worker_lives(seen: Seen) -> None:
    said = [(each["MessageAttributes"], each["Body"]) for each in seen.letters]
    quarantined = [
        (attributes["source_message_id"]["StringValue"], body)
        for attributes, body in said
        if attributes["reason"]["StringValue"] == "not_an_event"
    ]
    assert {message_id for message_id, _ in quarantined} == seen.sent
    assert {body for _, body in quarantined} == set(BODIES)
    assert len(seen.letters) == len(BODIES) + 1, "and the one whose task fails"
    assert len(seen.runs) == len(FROM_ELSEWHERE) + 1, "and the one that was sent after all"
    assert seen.alive
    assert seen.log.count("Traceback") == 1, "that task's"


def test_an_event_of_unknown_type_waits_where_it_is(seen: Seen) -> None:
    assert seen.counts == (0, 1)
    assert UNKNOWN not in {each["Body"] for each in seen.letters}


@pytest.mark.S1
@pytest.mark.parametrize("number", [RAW, WRAPPED])
def test_an_event_of_another_publisher_is_run_wrapped_or_not(seen: Seen, number: int) -> None:
    assert seen.run(number) == 1


def test_a_failed_task_keeps_of_a_foreign_event_only_what_our_model_knows(seen: Seen) -> None:
    [row] = seen.failed
    assert f"probe/{FAILING}" in row.task_args
    assert "ann.secret" not in row.task_args
    assert "ann.secret" not in seen.log
    assert FROM_ELSEWHERE[FAILING] in {each["Body"] for each in seen.letters}
