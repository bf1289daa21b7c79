"""The fault proxy in front of a real emulator, seen by real boto3: each fault does what it says."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from notifications.local.directories import Directories
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.processes import Processes
from tests.integration.faults.calls import SHARED, bodies, connect, ids, send


def test_requests_are_counted_by_action(
    sqs: Any, sns: Any, queue: str, faults: FaultClient
) -> None:
    send(sqs, queue, "a", "b")
    bodies(sqs, queue)
    topic = sns.create_topic(Name="counted")["TopicArn"]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}])

    assert faults.requests() == {
        "SendMessageBatch": 1,
        "ReceiveMessage": 2,
        "CreateTopic": 1,
        "PublishBatch": 1,
    }


def test_everything_a_client_does_with_a_queue_goes_through_the_proxy(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    """Also when the queue's URL names another host: botocore posts to the endpoint."""
    sqs.send_message(QueueUrl=queue.replace("//", "//elsewhere."), MessageBody="m")

    assert faults.requests() == {"SendMessage": 1}


def test_latency_is_added_to_each_request(sqs: Any, queue: str, faults: FaultClient) -> None:
    faults.latency(0.1)

    started = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="m")

    assert 0.1 <= time.monotonic() - started < 5


def test_latency_does_not_serialise_concurrent_requests(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.latency(0.5)

    started = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: send(sqs, queue, name), "abcdefghij"))

    assert time.monotonic() - started < 4
    assert faults.requests() == {"SendMessageBatch": 10}


def test_an_error_has_its_status_and_code_and_nothing_is_done(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("error", actions=["SendMessageBatch"], times=1, status=500, code="InternalError")

    with pytest.raises(ClientError) as refused:
        send(sqs, queue, "a")

    assert refused.value.response["Error"]["Code"] == "InternalError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert bodies(sqs, queue) == set()
    send(sqs, queue, "b")  # it struck the one time it was told to


def test_an_error_after_the_fact_hides_what_was_done(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("error", when="after", times=1)

    with pytest.raises(ClientError):
        send(sqs, queue, "a")

    assert bodies(sqs, queue) == {"body of a"}


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_throttling_is_worded_so_that_botocore_knows_it(
    service: str, request: pytest.FixtureRequest, faults: FaultClient
) -> None:
    client = request.getfixturevalue(service)
    faults.fault("throttle")

    with pytest.raises(ClientError) as refused:
        client.list_queues() if service == "sqs" else client.list_topics()

    assert refused.value.response["Error"]["Code"] == "ThrottlingException"


def test_a_hanging_request_is_never_answered(sqs: Any, queue: str, faults: FaultClient) -> None:
    faults.fault("hang", actions=["ReceiveMessage"], times=1)

    with pytest.raises(ReadTimeoutError):
        sqs.receive_message(QueueUrl=queue)

    assert bodies(sqs, queue) == set()  # the next one is answered


@pytest.mark.parametrize(("when", "arrived"), [("before", set()), ("after", {"body of a"})])
def test_a_connection_is_hung_up_before_or_after_the_work(
    sqs: Any, queue: str, faults: FaultClient, when: Any, arrived: set[str]
) -> None:
    faults.fault("hang_up", when=when, times=1)

    with pytest.raises(ConnectionClosedError):
        send(sqs, queue, "a")

    assert bodies(sqs, queue) == arrived


def test_a_slow_request_is_answered_in_the_end(sqs: Any, queue: str, faults: FaultClient) -> None:
    faults.fault("slow", actions=["SendMessageBatch"], seconds=0.3)

    started = time.monotonic()
    answer = send(sqs, queue, "a")

    assert time.monotonic() - started >= 0.3
    assert ids(answer["Successful"]) == {"a"}


def test_an_answer_that_trickles_is_noticed_by_no_read_timeout(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("trickle", actions=["SendMessageBatch"], seconds=1.5)

    started = time.monotonic()
    answer = send(sqs, queue, "a")  # by a client that waits for a second

    assert time.monotonic() - started >= 1.5
    assert ids(answer["Successful"]) == {"a"}


def test_a_fault_may_concern_one_queue_alone(sqs: Any, queue: str, faults: FaultClient) -> None:
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    faults.fault("throttle", containing="/other")

    send(sqs, queue, "a")
    with pytest.raises(ClientError):
        send(sqs, other, "a")


def test_a_wrong_fault_is_refused_with_its_reason(proxy: FaultProxy, faults: FaultClient) -> None:
    answer = httpx.post(f"{proxy.url}/_faults/add", json={"kind": "explode"})

    assert answer.status_code == 400
    assert "explode" in json.loads(answer.text)["error"]


def test_a_stopped_emulator_shows_as_a_closed_connection(tmp_path: Path) -> None:
    directories = Directories.of(tmp_path, SHARED)
    with Processes() as processes:
        front = FaultProxy(directories, processes, target="http://127.0.0.1:1")
        front.start()
        with closing(connect("sqs", front)) as client, pytest.raises(ConnectionClosedError):
            client.list_queues()


def test_the_emulator_sees_at_once_that_a_client_has_gone(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    """Otherwise the long poll of a worker that died would take messages to nobody."""
    with pytest.raises(ReadTimeoutError):
        sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    faults.latency(0.1)  # its end travels without latency, the message with it

    send(sqs, queue, "a")

    assert bodies(sqs, queue) == {"body of a"}


def test_the_proxy_listens_on_the_loopback_alone(proxy: FaultProxy) -> None:
    assert proxy.process is not None
    tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    port = f"{proxy.port:04X}"

    listening = {row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"}

    assert listening == {f"0100007F:{port}"}
