"""Credentials that end while we run, as a role's do: every queue is asked with fresh ones."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from notifications import aws
from notifications.aws import clients
from notifications.aws.batches import Entry
from notifications.publishing import Batch, publish
from notifications.worker.acknowledger import Acknowledger
from notifications.worker.counts import Counts
from notifications.worker.queues import polled_queues
from notifications.worker.received import Received
from tests.waiting import wait_for

QUEUES = ("first", "second", "third")

ISSUER = """#!{python}
import json, pathlib, datetime
counter = pathlib.Path({counter!r})
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
minutes = -60 if pathlib.Path({ended!r}).exists() else 1
soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
print(json.dumps({{"Version": 1, "AccessKeyId": f"KEY{{number}}", "SecretAccessKey": "s",
                   "SessionToken": "t", "Expiration": soon.isoformat()}}))
"""
"""What a role's credentials come from: each asking gives others, which end in a minute. botocore
takes those for ended, so that each call has to fetch new ones. While the file `ended` is there,
they are: as where a clock is wrong, or whoever gives them out gives what it had."""


class Sqs(ThreadingHTTPServer):
    """Answers that there is nothing, and remembers who asked for which queue. ended: the file."""

    ended: Path

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Sqs

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        [key] = re.findall(r"Credential=(\w+)/", self.headers["Authorization"])
        answer: dict[str, Any] = {}
        if name := request.get("QueueName"):
            answer["QueueUrl"] = f"http://127.0.0.1:{self.server.server_port}/0/{name}"
        else:
            self.server.asked.append((request["QueueUrl"].rpartition("/")[2], key))
            answer["Successful"] = [{"Id": each["Id"]} for each in request.get("Entries", ())]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """pytest needs no access log."""


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sqs]:
    """An SQS that this process's clients reach with a role's credentials."""
    issuer, config = tmp_path / "issuer", tmp_path / "config"
    files = {name: str(tmp_path / name) for name in ("counter", "ended")}
    issuer.write_text(ISSUER.format(python=sys.executable, **files))
    issuer.chmod(stat.S_IRWXU)
    config.write_text(f"[default]\ncredential_process = {issuer}\n")
    server = Sqs()
    server.ended = tmp_path / "ended"
    thread = Thread(target=server.serve_forever)
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    aws.forget()
    yield server
    monkeypatch.undo()
    aws.forget()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.trap(24)
def test_every_queue_is_asked_with_credentials_that_are_fresh(sqs: Sqs) -> None:
    for _ in range(3):
        for queue in QUEUES:
            url = f"http://127.0.0.1:{sqs.server_port}/000000000000/{queue}"
            clients.client("sqs").receive_message(QueueUrl=url)

    assert Counter(queue for queue, _ in sqs.asked) == dict.fromkeys(QUEUES, 3)
    keys = [int(key.removeprefix("KEY")) for _, key in sqs.asked]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys), "each call had credentials of its own"


def test_a_deletion_is_tried_again_while_there_are_only_credentials_that_have_ended(
    sqs: Sqs,
) -> None:
    counts = Counts()
    acknowledger = Acknowledger(counts)
    queue = polled_queues("email")[0]
    sqs.ended.touch()

    acknowledger.delete(Received(queue, "id", "handle", "{}", 1, 0.0, 0.0))

    wait_for(lambda: counts.snapshot().get("delete_failed"))
    sqs.ended.unlink()
    wait_for(lambda: counts.snapshot().get("delete_done"), within=30)
    assert [name for name, _ in sqs.asked] == [queue.physical]
    acknowledger.close(5)


def test_a_relay_with_credentials_that_have_ended_says_so_on_the_row(sqs: Sqs) -> None:
    sqs.ended.touch()

    outcome = publish(
        Batch("queue", "email", "test-email", False, uuid4(), (Entry("1", "{}"), Entry("2", "{}")))
    )

    assert not outcome.got_through, "so that it leaves SQS alone for a while"
    assert outcome.failed.keys() == {"1", "2"}
    assert "are still expired" in outcome.failed["1"]
