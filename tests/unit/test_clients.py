"""boto3 clients: made once, shared by threads, never by processes."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import NoCredentialsError

from notifications.aws import clients
from notifications.aws.clients import MAX_POOL_CONNECTIONS, client


def test_threads_share_one_client() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: id(client("sqs", read_timeout=3)), range(32)))

    assert len(made) == 1


def test_other_timeouts_make_another_client() -> None:
    assert client("sqs") is client("sqs")
    assert client("sqs") is not client("sqs", read_timeout=1)
    assert client("sqs") is not client("sns")


def test_a_client_has_timeouts_and_as_many_tries_as_asked_for() -> None:
    config = client("sns", connect_timeout=2, read_timeout=4, total_max_attempts=1).meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 4)
    assert config.retries["total_max_attempts"] == 1
    assert config.max_pool_connections == MAX_POOL_CONNECTIONS


def test_an_idle_long_poll_is_no_timeout() -> None:
    assert client("sqs").meta.config.read_timeout > 20


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_its_own() -> None:
    parent = id(client("sqs"))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    held = client("sqs")  # alive, so that its id cannot be used again

    child = context.Process(target=lambda: answers.put(id(client("sqs"))))
    child.start()
    child.join(10)

    assert child.exitcode == 0
    assert answers.get() != parent == id(held)


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The metadata service of an EC2 instance: by path what it answers, 404 to anything else."""
    answers: dict[str, str] = {}

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = answers.get(self.path.removeprefix("/latest/meta-data/iam/"), "")
            self.send_response(200 if said else 404)
            self.end_headers()
            self.wfile.write(said.encode())

        do_PUT = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    where = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", where)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    clients.forget()
    yield answers
    clients.forget()
    server.shutdown()
    server.server_close()


def test_who_begins_before_its_credentials_are_there_has_them_later(
    instance: dict[str, str],
) -> None:
    nobody = client("sqs")
    with pytest.raises(NoCredentialsError):
        nobody.generate_presigned_url("list_queues")
    assert client("sqs") is nobody, "for a while"

    instance["security-credentials/"] = "worker"
    instance["security-credentials/worker"] = json.dumps(
        {
            "Code": "Success",
            "AccessKeyId": "AKIDWORKER",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2199-01-01T00:00:00Z",
        }
    )
    clients._clients.update(dict.fromkeys(clients._clients, (nobody, 0.0)))  # a minute later
    assert "AKIDWORKER" in client("sqs").generate_presigned_url("list_queues")
    assert client("sqs") is client("sqs"), "and keeps them"
