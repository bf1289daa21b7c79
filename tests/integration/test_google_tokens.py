"""Access tokens for push: fetched once, renewed before they end, and their failures told apart."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from notifications.channels.base import Content, Message
from notifications.channels.push import FcmPush
from notifications.exceptions import ProviderPaused, TransientError
from notifications.local.providers.client import SandboxClient
from tests.partners import Open, in_turn

MESSAGE = Message("device-1", Content("On its way"), "d.0.1", "d.0", "order.shipped", "order/7")
SOON = 100.0
"""Seconds: so near its end, google-auth calls a token stale (it renews from 225 s on)."""


@pytest.fixture
def push(sandbox: SandboxClient) -> FcmPush:
    return FcmPush(endpoint=os.environ["FCM_ENDPOINT"], read_timeout=5)


def test_many_threads_share_one_token(push: FcmPush, sandbox: SandboxClient) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(push.send, [MESSAGE] * 64))

    assert len(sandbox.accepted("push")) == 64
    assert sandbox.requests("token") == 1


def test_a_token_is_renewed_before_it_ends(push: FcmPush, sandbox: SandboxClient) -> None:
    sandbox.script("token", "accept", expires_in=SOON, times=1)

    for _ in range(3):
        push.send(MESSAGE)

    assert sandbox.requests("token") == 2


def test_a_token_that_still_holds_outlasts_a_failing_token_endpoint(
    push: FcmPush, sandbox: SandboxClient
) -> None:
    sandbox.script("token", "accept", expires_in=SOON, times=1)
    sandbox.script("token", "server_error")

    for _ in range(2):
        push.send(MESSAGE)

    assert len(sandbox.accepted("push")) == 2


@pytest.mark.parametrize("behaviour", ["server_error", "hang_up", "throttle"])
def test_without_a_token_nothing_was_sent_so_it_is_worth_another_try(
    push: FcmPush, sandbox: SandboxClient, behaviour: str
) -> None:
    sandbox.script("token", behaviour, times=1)

    with pytest.raises(TransientError) as caught:
        push.send(MESSAGE)

    assert caught.value.code == "token_unavailable"
    assert sandbox.requests("token") == 1
    assert push.send(MESSAGE).provider_message_id


def test_a_token_endpoint_that_hangs_is_left_after_the_read_timeout(
    sandbox: SandboxClient,
) -> None:
    sandbox.script("token", "hang")
    push = FcmPush(endpoint=os.environ["FCM_ENDPOINT"], read_timeout=0.3)

    with pytest.raises(TransientError) as caught:
        push.send(MESSAGE)

    assert caught.value.code == "token_unavailable"


def test_refused_credentials_pause_the_channel(push: FcmPush, sandbox: SandboxClient) -> None:
    sandbox.script("token", "refuse", code="invalid_grant")

    with pytest.raises(ProviderPaused) as caught:
        push.send(MESSAGE)

    assert caught.value.code == "token_refused"


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_a_token_endpoint_that_talks_nonsense_pauses_the_channel(
    push: FcmPush, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, partner: Open, status: str
) -> None:
    nonsense = [b"null", b"[]", b"5", b'"no"', b"{}", b"<p>no</p>", b"R\xe9seau", b"[" * 100_000]
    there = partner(in_turn(status, nonsense))
    account = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    (tmp_path / "account.json").write_text(json.dumps({**account, "token_uri": there.url}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))

    for body in nonsense:
        with pytest.raises(ProviderPaused) as caught:
            push.send(MESSAGE)
        assert caught.value.code in {"token_refused", "token_unreadable"}, body[:80]


def test_a_token_that_fcm_no_longer_takes_is_fetched_anew(
    push: FcmPush, sandbox: SandboxClient
) -> None:
    push.send(MESSAGE)
    sandbox.script("push", "refuse", code="UNAUTHENTICATED", times=1)
    with pytest.raises(ProviderPaused):
        push.send(MESSAGE)

    push.send(MESSAGE)

    assert sandbox.requests("token") == 2


def test_missing_credentials_pause_the_channel(
    push: FcmPush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/at/all.json")

    with pytest.raises(ProviderPaused) as caught:
        push.send(MESSAGE)

    assert caught.value.code == "no_credentials"


def test_credentials_without_a_project_pause_the_channel(
    push: FcmPush, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    del account["project_id"]
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)

    with pytest.raises(ProviderPaused) as caught:
        push.send(MESSAGE)

    assert caught.value.code == "no_project_id"
