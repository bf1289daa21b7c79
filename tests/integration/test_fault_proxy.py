"""The fault proxy in front of a real emulator, seen by real boto3: each fault does what it says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from notifications.local.directories import Directories
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.fauxqs import Fauxqs
from notifications.local.processes import Processes

SHARED = Path(__file__).resolve().parents[2] / ".local"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    directories = Directories.of(tmp_path_factory.mktemp("faults"), SHARED)
    with Processes() as processes:
        emulator = Fauxqs(directories, processes, durable=False)
        emulator.start()
        front = FaultProxy(directories, processes, target=emulator.environment["AWS_ENDPOINT_URL"])
        front.start()
        yield front


@pytest.fixture
def faults(proxy: FaultProxy) -> Iterator[FaultClient]:
    client = proxy.client
    client.reset(seed=1)
    yield client
    client.reset()
    client.latency(0)


@pytest.fixture
def sqs(proxy: FaultProxy, faults: FaultClient) -> Iterator[Any]:
    with closing(_client("sqs", proxy)) as client:
        yield client


@pytest.fixture
def sns(proxy: FaultProxy, faults: FaultClient) -> Iterator[Any]:
    with closing(_client("sns", proxy)) as client:
        yield client


def _client(service: str, proxy: FaultProxy) -> Any:
    return boto3.client(
        service,
        endpoint_url=proxy.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=1, max_pool_connections=20),
    )


@pytest.fixture
def queue(sqs: Any, faults: FaultClient) -> Iterator[str]:
    url = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    faults.reset(seed=1)
    yield url
    faults.clear()
    sqs.delete_queue(QueueUrl=url)


def _send(sqs: Any, queue: str, *ids: str) -> dict[str, Any]:
    entries = [{"Id": name, "MessageBody": f"body of {name}"} for name in ids]
    answer: dict[str, Any] = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    return answer


def _bodies(sqs: Any, queue: str) -> set[str]:
    """What the queue holds, shown to us until nothing more comes."""
    bodies: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        bodies |= {message["Body"] for message in messages}
    return bodies


def _ids(entries: list[dict[str, Any]]) -> set[str]:
    return {entry["Id"] for entry in entries}


def test_requests_are_counted_by_action(
    sqs: Any, sns: Any, queue: str, faults: FaultClient
) -> None:
    _send(sqs, queue, "a", "b")
    _bodies(sqs, queue)
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

    assert 0.1 <= time.monotonic() - started < 0.2


def test_latency_does_not_serialise_concurrent_requests(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.latency(0.2)

    started = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: _send(sqs, queue, name), "abcdefghij"))

    assert time.monotonic() - started < 1
    assert faults.requests() == {"SendMessageBatch": 10}


def test_single_entries_of_a_send_fail_and_the_others_arrive(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial", actions=["SendMessageBatch"], times=2, code="InternalError")

    answer = _send(sqs, queue, "a", "b", "c")

    assert _ids(answer["Failed"]) == {"a", "b"}
    assert {entry["Code"] for entry in answer["Failed"]} == {"InternalError"}
    assert _ids(answer["Successful"]) == {"c"}
    assert _bodies(sqs, queue) == {"body of c"}
    assert faults.struck() == {"partial": 2}


def test_a_batch_of_which_every_entry_fails_is_not_forwarded(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial")

    assert _ids(_send(sqs, queue, "a", "b")["Failed"]) == {"a", "b"}
    assert _bodies(sqs, queue) == set()


def test_an_entry_may_be_done_and_yet_be_reported_as_failed(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial", when="after", times=1)

    answer = _send(sqs, queue, "a", "b")

    assert (_ids(answer["Failed"]), _ids(answer["Successful"])) == ({"a"}, {"b"})
    assert _bodies(sqs, queue) == {"body of a", "body of b"}


def test_single_entries_of_a_delete_fail_and_their_messages_stay(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    _send(sqs, queue, "a", "b")
    held = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    handles = [
        {"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in held
    ]
    faults.fault("partial", actions=["DeleteMessageBatch"], times=1)

    failed = sqs.delete_message_batch(QueueUrl=queue, Entries=handles)["Failed"]

    assert len(failed) == 1
    kept = next(entry for entry in handles if entry["Id"] == failed[0]["Id"])
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=kept["ReceiptHandle"], VisibilityTimeout=0
    )
    assert _bodies(sqs, queue) == _ids(failed)


@pytest.mark.parametrize("when", ["before", "after"])
def test_single_entries_of_a_publication_fail(
    sqs: Any, sns: Any, queue: str, faults: FaultClient, when: Any
) -> None:
    topic = sns.create_topic(Name=f"partial-{when}")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    faults.fault("partial", when=when, actions=["PublishBatch"], times=1)
    attributes = {"event_type": {"DataType": "String", "StringValue": "order.created"}}

    answer = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": name, "Message": f"<{name} & co>", "MessageAttributes": attributes}
            for name in "abc"
        ],
    )

    assert (_ids(answer["Failed"]), _ids(answer["Successful"])) == ({"a"}, {"b", "c"})
    published = {"<b & co>", "<c & co>"} | ({"<a & co>"} if when == "after" else set())
    assert _bodies(sqs, queue) == published


def test_an_error_has_its_status_and_code_and_nothing_is_done(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("error", actions=["SendMessageBatch"], times=1, status=500, code="InternalError")

    with pytest.raises(ClientError) as refused:
        _send(sqs, queue, "a")

    assert refused.value.response["Error"]["Code"] == "InternalError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert _bodies(sqs, queue) == set()
    _send(sqs, queue, "b")  # it struck the one time it was told to


def test_an_error_after_the_fact_hides_what_was_done(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("error", when="after", times=1)

    with pytest.raises(ClientError):
        _send(sqs, queue, "a")

    assert _bodies(sqs, queue) == {"body of a"}


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

    assert _bodies(sqs, queue) == set()  # the next one is answered


@pytest.mark.parametrize(("when", "arrived"), [("before", set()), ("after", {"body of a"})])
def test_a_connection_is_hung_up_before_or_after_the_work(
    sqs: Any, queue: str, faults: FaultClient, when: Any, arrived: set[str]
) -> None:
    faults.fault("hang_up", when=when, times=1)

    with pytest.raises(ConnectionClosedError):
        _send(sqs, queue, "a")

    assert _bodies(sqs, queue) == arrived


def test_a_slow_request_is_answered_in_the_end(sqs: Any, queue: str, faults: FaultClient) -> None:
    faults.fault("slow", actions=["SendMessageBatch"], seconds=0.3)

    started = time.monotonic()
    answer = _send(sqs, queue, "a")

    assert time.monotonic() - started >= 0.3
    assert _ids(answer["Successful"]) == {"a"}


def test_a_fault_may_concern_one_queue_alone(sqs: Any, queue: str, faults: FaultClient) -> None:
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    faults.fault("throttle", containing="/other")

    _send(sqs, queue, "a")
    with pytest.raises(ClientError):
        _send(sqs, other, "a")


def test_equal_seeds_throw_equal_dice(sqs: Any, queue: str, faults: FaultClient) -> None:
    def failures(seed: int) -> list[set[str]]:
        faults.reset(seed=seed)
        faults.fault("partial", probability=0.5)
        answers = [_send(sqs, queue, *"abcdefghij") for _ in range(3)]
        return [_ids(answer["Failed"]) for answer in answers]

    assert failures(7) == failures(7) != failures(8)


def test_a_wrong_fault_is_refused_with_its_reason(proxy: FaultProxy, faults: FaultClient) -> None:
    answer = httpx.post(f"{proxy.url}/_faults/add", json={"kind": "explode"})

    assert answer.status_code == 400
    assert "explode" in json.loads(answer.text)["error"]


def test_a_stopped_emulator_shows_as_a_closed_connection(tmp_path: Path) -> None:
    directories = Directories.of(tmp_path, SHARED)
    with Processes() as processes:
        front = FaultProxy(directories, processes, target="http://127.0.0.1:1")
        front.start()
        with closing(_client("sqs", front)) as client, pytest.raises(ConnectionClosedError):
            client.list_queues()


def test_the_proxy_listens_on_the_loopback_alone(proxy: FaultProxy) -> None:
    assert proxy.process is not None
    tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    port = f"{proxy.port:04X}"

    listening = {row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"}

    assert listening == {f"0100007F:{port}"}
