"""The provider sandbox as a process: what it keeps, how it fails on script, how it ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import smtplib
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from notifications.aws.clients import client
from notifications.channels.base import Content, Message
from notifications.channels.sms import EndUserMessagingSms
from notifications.exceptions import OutcomeUnknown, TransientError
from notifications.local.providers.client import SandboxClient
from notifications.local.providers.webhook import DEFAULT_SECRET
from tests.waiting import wait_for

COMMAND = [sys.executable, "-m", "notifications.local.providers"]
Run = Callable[..., "Running"]


class Running:
    """A sandbox of a test's own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        words = process.stdout.readline().split()
        self.url = words[2].rstrip("/")
        self.smtp_port = int(words[3].rpartition(":")[2])
        self.client = SandboxClient(self.url)


@pytest.fixture
def run() -> Iterator[Run]:
    """`run("--journal", file)`: started, on free ports; killed after the test."""
    started: list[Running] = []

    def run(*options: str | Path) -> Running:
        command = [*COMMAND, "--port", "0", "--smtp-port", "0", *map(str, options)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(Running(process))
        return started[-1]

    yield run
    for each in started:
        each.client.close()
        each.process.kill()
        each.process.communicate()


def sms(text: str = "On its way") -> Message:
    return Message("+4915112345678", Content(text), "d.0.1", "d.0", "order.shipped", "order/7")


def an_email(**headers: str) -> EmailMessage:
    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = "shop@shop.example", "ada@example.org", "Grüße"
    for name, value in headers.items():
        email[name.replace("_", "-")] = value
    email.set_content("Hello")
    email.add_alternative("<p>Hello</p>", subtype="html")
    return email


def send_by_smtp(port: int, email: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.send_message(email)


def post_webhook(sandbox: SandboxClient, *, wrong: str = "", timeout: float = 10) -> httpx.Response:
    """Signed as Standard Webhooks has it; `wrong` spoils the signature."""
    body, now = b'{"type": "order.shipped"}', str(int(time.time()))
    key = base64.b64decode(DEFAULT_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"d.0.{now}.".encode() + body, hashlib.sha256)
    headers = {
        "webhook-id": "d.0",
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{wrong}{base64.b64encode(digest).decode()}",
    }
    url = f"{sandbox.url}/webhooks/warehouse"
    return httpx.post(url, content=body, headers=headers, timeout=timeout)


# What it keeps


def test_accepted_messages_are_given_in_order_over_pages(sandbox: SandboxClient) -> None:
    adapter = EndUserMessagingSms()
    for number in range(5):
        adapter.send(sms(f"number {number}"))

    first = httpx.get(f"{sandbox.url}/sandbox/accepted", params={"limit": 2}).json()
    second = httpx.get(
        f"{sandbox.url}/sandbox/accepted", params={"limit": 3, "after": first["next"]}
    ).json()

    texts = [each["text"] for page in (first, second) for each in page["messages"]]
    assert texts == [f"number {number}" for number in range(5)]
    assert [each.text for each in sandbox.accepted()] == texts


def test_the_id_the_sdk_was_given_is_the_one_that_is_kept(sandbox: SandboxClient) -> None:
    answer = EndUserMessagingSms().send(sms())

    assert sandbox.accepted("sms")[0].provider_message_id == answer.provider_message_id


def test_a_raw_email_is_read_as_a_simple_one_is(sandbox: SandboxClient) -> None:
    email = an_email(X_Notification_Tag="d.0.1", X_Event_Subject="order/7")
    client("sesv2").send_email(Content={"Raw": {"Data": email.as_bytes()}})

    (kept,) = sandbox.accepted("email")
    assert (kept.address, kept.title, kept.text.strip()) == ("ada@example.org", "Grüße", "Hello")
    assert (kept.tag, kept.subject) == ("d.0.1", "order/7")


def test_an_email_with_two_recipients_is_two_messages(sandbox: SandboxClient) -> None:
    client("sesv2").send_email(
        FromEmailAddress="shop@shop.example",
        Destination={"ToAddresses": ["ada@example.org"], "CcAddresses": ["g@example.org"]},
        Content={"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}}},
    )

    assert [each.address for each in sandbox.accepted()] == ["ada@example.org", "g@example.org"]
    assert sandbox.requests("email") == 1


def test_a_journal_outlives_the_process(run: Run, tmp_path: Path) -> None:
    first = run("--journal", tmp_path / "journal")
    send_by_smtp(first.smtp_port, an_email())
    first.process.kill()
    first.process.wait()

    second = run("--journal", tmp_path / "journal")

    assert [each.address for each in second.client.accepted()] == ["ada@example.org"]
    assert second.client.counts()["email"]["accepted"] == 1


def test_reset_forgets_messages_script_limits_and_counts(sandbox: SandboxClient) -> None:
    EndUserMessagingSms().send(sms())
    sandbox.script("sms", "hang_up")
    sandbox.limit("sms", 0.1)
    sandbox.reset()

    for _ in range(3):
        EndUserMessagingSms().send(sms())

    assert len(sandbox.accepted()) == sandbox.requests("sms") == 3


# How it fails


def test_a_limit_throttles_what_comes_faster(sandbox: SandboxClient) -> None:
    sandbox.limit("sms", 5)
    adapter, refusals = EndUserMessagingSms(), []
    while len(taken := sandbox.accepted("sms")) < 11:
        try:
            adapter.send(sms())
        except TransientError as error:
            refusals.append(error.retry_after)

    times = [each.accepted_at.timestamp() for each in taken]
    assert set(refusals) == {1.0}
    assert min(later - earlier for earlier, later in zip(times, times[5:], strict=False)) > 0.99


def test_a_recipient_may_fail_while_the_rest_of_the_channel_does_not(
    sandbox: SandboxClient,
) -> None:
    sandbox.script("sms", "throttle", address="+4915112345678", retry_after=3)
    other = replace(sms(), address="+4915112345679")

    EndUserMessagingSms().send(other)
    with pytest.raises(TransientError) as caught:
        EndUserMessagingSms().send(sms())

    assert caught.value.retry_after == 3
    assert [each.address for each in sandbox.accepted()] == [other.address]
    assert sandbox.counts()["sms"]["outcomes"] == {"accept": 1, "throttle": 1}


@pytest.mark.parametrize(
    ("behaviour", "arguments", "status"),
    [
        ("accept", {}, 204),
        ("delay", {"seconds": 0.05}, 204),
        ("throttle", {"retry_after": 7}, 429),
        ("server_error", {"status": 503}, 503),
        ("refuse", {"code": "410"}, 410),
        ("hang_up", {}, None),
        ("hang", {}, None),
        ("accept_then_drop", {}, None),
    ],
)
def test_a_webhook_s_receiver_behaves_as_scripted(
    sandbox: SandboxClient, behaviour: str, arguments: dict[str, float], status: int | None
) -> None:
    sandbox.script("webhook", behaviour, **arguments)

    try:
        answer = post_webhook(sandbox, timeout=0.3 if behaviour == "hang" else 10)
    except (httpx.ReadTimeout, httpx.RemoteProtocolError):
        assert status is None
    else:
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == (
            str(arguments["retry_after"]) if "retry_after" in arguments else None
        )
    kept = len(sandbox.accepted("webhook"))
    assert kept == (behaviour in {"accept", "delay", "accept_then_drop"})


def test_a_slow_provider_accepts_although_nobody_waits(sandbox: SandboxClient) -> None:
    sandbox.script("sms", "delay", seconds=0.5)

    with pytest.raises(OutcomeUnknown):
        EndUserMessagingSms(read_timeout=0.2).send(sms())

    assert sandbox.accepted("sms") == []
    wait_for(lambda: sandbox.accepted("sms"), what="the message to be accepted")


def test_a_reset_forgets_what_was_still_on_its_way(sandbox: SandboxClient) -> None:
    sandbox.script("sms", "delay", seconds=0.3)
    with pytest.raises(OutcomeUnknown):
        EndUserMessagingSms(read_timeout=0.1).send(sms())
    sandbox.reset()
    sandbox.script("sms", "delay", seconds=0.4, times=1)

    EndUserMessagingSms().send(replace(sms(), tag="later.0.1"))

    assert [message.tag for message in sandbox.accepted("sms")] == ["later.0.1"]


def test_a_wrong_script_is_refused_with_the_words_for_it(sandbox: SandboxClient) -> None:
    with pytest.raises(ValueError, match="refuse needs code"):
        sandbox.script("sms", "refuse")
    with pytest.raises(ValueError, match="channel must be one of email, sms"):
        sandbox.script("pigeon", "accept")
    with pytest.raises(ValueError, match="per_second must be a number above 0"):
        sandbox.limit("sms", 0)


def test_another_site_s_page_in_a_browser_cannot_give_orders(sandbox: SandboxClient) -> None:
    answer = httpx.post(f"{sandbox.url}/sandbox/reset", data={"from": "a form"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("behaviour", "arguments", "code"),
    [("throttle", {}, 454), ("server_error", {}, 451), ("refuse", {"code": "nobody"}, 554)],
)
def test_smtp_answers_with_its_own_codes(
    run: Run, behaviour: str, arguments: dict[str, str], code: int
) -> None:
    running = run()
    running.client.script("email", behaviour, **arguments)

    with pytest.raises(smtplib.SMTPDataError) as caught:
        send_by_smtp(running.smtp_port, an_email())

    assert caught.value.smtp_code == code
    assert running.client.accepted() == []


def test_smtp_accepts_and_then_drops_the_answer(run: Run) -> None:
    running = run()
    running.client.script("email", "accept_then_drop")

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send_by_smtp(running.smtp_port, an_email(X_Notification_Tag="d.0.1"))

    assert [each.tag for each in running.client.accepted("email")] == ["d.0.1"]


def test_push_without_a_token_of_ours_is_refused(sandbox: SandboxClient) -> None:
    answer = httpx.post(
        f"{sandbox.url}/v1/projects/sandbox/messages:send",
        json={"message": {"token": "device"}},
        headers={"Authorization": "Bearer something-else"},
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(("wrong", "status"), [("", 204), ("x", 401)])
def test_a_webhook_is_taken_when_its_signature_holds(
    sandbox: SandboxClient, wrong: str, status: int
) -> None:
    answer = post_webhook(sandbox, wrong=wrong)

    assert answer.status_code == status
    assert len(sandbox.accepted("webhook")) == (status == 204)


# How it starts and ends


def test_sigterm_ends_it_cleanly_though_a_request_hangs(run: Run) -> None:
    running = run()
    running.client.script("token", "hang")
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as waiting:
        waiting.sendall(b"POST /google/token HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        wait_for(lambda: running.client.requests("token"), what="the request to arrive")

        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=10) == 0

    _, errors = running.process.communicate()
    assert errors == ""


def test_what_keeps_it_from_starting_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    taken = run().url.rpartition(":")[2]
    nowhere = str(tmp_path / "missing" / "journal")

    for options in (["--port", taken], ["--port", "0", "--journal", nowhere]):
        ended = subprocess.run(
            [*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False
        )
        assert ended.returncode == 1
        assert ended.stderr.startswith("The provider sandbox cannot start: ")
        assert len(ended.stderr.splitlines()) == 1


def test_google_credentials_point_at_the_sandbox_and_are_private(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "google.json"

    running = run("--google-credentials", file, "--project-id", "my-shop")

    account = json.loads(file.read_text())
    assert account["token_uri"] == f"{running.url}/google/token"
    assert account["project_id"] == "my-shop"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
