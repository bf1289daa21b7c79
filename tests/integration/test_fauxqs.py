"""The emulator for deep backlogs and broker restarts, as an embedded part."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from notifications.local.directories import Directories
from notifications.local.fauxqs import Fauxqs
from notifications.local.parts import PartFailed
from notifications.local.ports import HOST
from notifications.local.processes import Processes
from tests.waiting import wait_for

ESTABLISHED, LISTEN = "01", "0A"  # as /proc/net/tcp writes them
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


def _client(service: str, emulator: Fauxqs, *, read_timeout: float = 10.0) -> Any:
    environment = emulator.environment
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}),
    )


def _sockets(emulator: Fauxqs, state: str) -> list[str]:
    """The emulator's own addresses (hexadecimal) of its sockets in that state."""
    tables = [Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    port = f":{emulator.port:04X}"
    return [row[1] for row in rows if row[1].endswith(port) and row[3] == state]


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


def test_what_was_received_and_given_back_is_kept_over_every_crash(
    emulator: Fauxqs, sqs: Any
) -> None:
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="m")

    for receives in ("1", "2", "3"):
        [message] = sqs.receive_message(
            QueueUrl=queue, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        )["Messages"]
        assert message["Attributes"]["ApproximateReceiveCount"] == receives
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
        emulator.kill()
        emulator.start()


def test_a_reset_forgets_queues_and_messages(emulator: Fauxqs, sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="m")

    emulator.reset()

    with pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.receive_message(QueueUrl=queue)


def test_it_listens_on_the_loopback_alone(emulator: Fauxqs) -> None:
    assert set(_sockets(emulator, LISTEN)) == {f"0100007F:{emulator.port:04X}"}


def test_a_taken_port_is_named_with_the_mend(
    emulator: Fauxqs, tmp_path: Path, processes: Processes
) -> None:
    second = Fauxqs(Directories.of(tmp_path / "second", SHARED), processes, port=emulator.port)

    with pytest.raises(PartFailed, match=f"fauxqs: port {emulator.port} of {HOST} is taken"):
        second.start()


def test_the_long_poll_of_a_client_that_has_gone_takes_no_message(
    emulator: Fauxqs, sqs: Any
) -> None:
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    impatient = _client("sqs", emulator, read_timeout=0.2)
    with closing(impatient), pytest.raises(ReadTimeoutError):
        impatient.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    wait_for(lambda: len(_sockets(emulator, ESTABLISHED)) == 1, what="the connection's end")

    sqs.send_message(QueueUrl=queue, MessageBody="m")

    assert _received(sqs, queue) == ["m"]


def test_an_installation_is_ended_with_all_else_and_needs_no_home(
    tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")  # as good as none
    with socket.create_server((HOST, 0)) as silent, ThreadPoolExecutor() as pool:
        registry = f"http://{HOST}:{silent.getsockname()[1]}"
        monkeypatch.setenv("npm_config_replace_registry_host", "always")
        monkeypatch.setenv("npm_config_registry", registry)
        starting = pool.submit(Fauxqs(Directories.of(tmp_path), processes).start)
        asked, _ = silent.accept()
        processes.close()
        with asked, pytest.raises(PartFailed, match="fauxqs: install failed"):
            starting.result(timeout=20)
    assert (tmp_path / "fauxqs" / "npm").is_dir()
