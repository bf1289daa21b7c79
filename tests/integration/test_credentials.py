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

import pytest

from notifications.aws import clients

QUEUES = ("first", "second", "third")

ISSUER = """#!{python}
import json, pathlib, datetime
counter = pathlib.Path({counter!r})
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
print(json.dumps({{"Version": 1, "AccessKeyId": f"KEY{{number}}", "SecretAccessKey": "s",
                   "SessionToken": "t", "Expiration": soon.isoformat()}}))
"""
"""What a role's credentials come from: each asking gives others, which end in a minute. botocore
takes those for ended, so that each call has to fetch new ones."""


class Sqs(ThreadingHTTPServer):
    """Answers that there is nothing, and remembers who asked for which queue."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Sqs

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        [key] = re.findall(r"Credential=(\w+)/", self.headers["Authorization"])
        self.server.asked.append((request["QueueUrl"].rpartition("/")[2], key))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """pytest needs no access log."""


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sqs]:
    """An SQS that this process's clients reach with a role's credentials."""
    issuer, config = tmp_path / "issuer", tmp_path / "config"
    issuer.write_text(ISSUER.format(python=sys.executable, counter=str(tmp_path / "counter")))
    issuer.chmod(stat.S_IRWXU)
    config.write_text(f"[default]\ncredential_process = {issuer}\n")
    server = Sqs()
    thread = Thread(target=server.serve_forever)
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    clients.forget()
    yield server
    monkeypatch.undo()
    clients.forget()
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
