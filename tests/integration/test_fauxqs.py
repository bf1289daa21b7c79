"""The emulator for deep backlogs and broker restarts, as an embedded part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from notifications.local.directories import Directories
from notifications.local.fauxqs import Fauxqs
from notifications.local.parts import PartFailed
from notifications.local.ports import HOST
from notifications.local.processes import Processes

SHARED = Path(__file__).resolve().parents[2] / ".local"


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture
def emulator(tmp_path: Path, processes: Processes) -> Fauxqs:
    emulator = Fauxqs(Directories.of(tmp_path, SHARED), processes)
    emulator.start()
    return emulator


@pytest.fixture
def sqs(emulator: Fauxqs) -> Iterator[Any]:
    with closing(_client("sqs", emulator)) as client:
        yield client


def _client(service: str, emulator: Fauxqs) -> Any:
    environment = emulator.environment
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def _received(sqs: Any, queue: str) -> list[str]:
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return sorted(message["Body"] for message in answer.get("Messages", []))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_it_holds_survives_a_stop_and_a_crash(emulator: Fauxqs, sqs: Any, end: str) -> None:
    with closing(_client("sns", emulator)) as sns:
        queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        topic = sns.create_topic(Name="order-events")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )
        sns.publish(TopicArn=topic, Message="before")

        getattr(emulator, end)()
        emulator.start()  # on the same port

        sns.publish(TopicArn=topic, Message="after")
        assert _received(sqs, queue) == ["after", "before"]


def test_a_reset_forgets_queues_and_messages(emulator: Fauxqs, sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="m")

    emulator.reset()

    with pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.receive_message(QueueUrl=queue)


def test_it_listens_on_the_loopback_alone(emulator: Fauxqs) -> None:
    tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    port = f"{emulator.port:04X}"

    listening = {row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"}

    assert listening == {f"0100007F:{port}"}


def test_a_taken_port_is_named_with_the_mend(
    emulator: Fauxqs, tmp_path: Path, processes: Processes
) -> None:
    second = Fauxqs(Directories.of(tmp_path / "second", SHARED), processes, port=emulator.port)

    with pytest.raises(PartFailed, match=f"fauxqs: port {emulator.port} of {HOST} is taken"):
        second.start()
