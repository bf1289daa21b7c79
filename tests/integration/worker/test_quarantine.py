"""Quarantine: thousands of bodies that are no event, on the queue of a worker at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from notifications.aws.batches import Entry, batched
from notifications.local.processes import Process
from notifications.models import DeadLetter
from tests.bodies import HOSTILE, SQS_TAKES, bodies, gathered
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

BODIES = 2_000

TEN = {f"theirs_{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
"""Message attributes, as many as SQS takes: there is no room for ours."""


@pytest.mark.trap(3)
def test_none_of_two_thousand_bodies_stops_crashes_or_slows_a_worker_and_none_is_lost(
    probes: Probes, threads_worker: Callable[..., Process]
) -> None:
    worker = threads_worker()
    strategy = bodies("probe.happened", "probe.run", within=SQS_TAKES)
    sent = dict(send_all(probes, gathered(strategy, BODIES)))
    sent |= {probes.send_text(body): body for body in HOSTILE}
    sent |= {probes.send_text("ten", MessageAttributes=TEN): "ten"}

    amid = probes.send("succeed")
    wait_for(probes.is_empty, within=300, what="the queue to be empty")
    after = probes.send("succeed")
    wait_for(lambda: probes.runs(after), within=30)

    found = list(buried(probes))
    found += [(row.message_id, bytes(row.body).decode()) for row in DeadLetter.objects.all()]
    assert Counter(message_id for message_id, _ in found) == Counter(list(sent)), "each once"
    assert dict(found) == sent, "as it came"
    assert DeadLetter.objects.filter(body=b"ten").exists()
    assert {line.split()[3] for line in probes.runs()} == {str(worker.pid)}, "the same process"
    assert [line.split()[1] for line in probes.runs()] == [str(amid), str(after)], "and no other"
    assert worker.alive
    assert "Traceback" not in worker.log


def send_all(probes: Probes, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each body with its SQS message id."""
    entries = [Entry(str(number), text) for number, text in enumerate(texts)]
    for batch in batched(entries):
        answer = probes.sqs.send_message_batch(
            QueueUrl=probes.url("probe"),
            Entries=[{"Id": entry.id, "MessageBody": entry.body} for entry in batch],
        )
        assert not answer.get("Failed")
        for taken in answer["Successful"]:
            yield taken["MessageId"], texts[int(taken["Id"])]


def buried(probes: Probes) -> Iterator[tuple[str, str]]:
    """What lies in the dead-letter queue, by the ids that the messages came with."""
    for letter in probes.dead_letters():
        said = letter["MessageAttributes"]
        assert said["reason"]["StringValue"] == "not_an_event", letter["Body"]
        yield said["source_message_id"]["StringValue"], letter["Body"]
