"""The sandbox's inbox page: safe to look at, and found by what a person knows."""

from __future__ import annotations

import httpx
import pytest

from notifications.channels.email import SesEmail
from notifications.channels.sms import EndUserMessagingSms
from notifications.local.providers.client import SandboxClient
from tests.channels import TAG, message_to


def test_the_page_runs_only_its_own_script(sandbox: SandboxClient) -> None:
    page = httpx.get(sandbox.url)

    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for file in ("inbox.css", "inbox.js"):
        assert file in page.text
        assert httpx.get(f"{sandbox.url}/{file}").status_code == 200


def test_an_email_s_html_is_shown_without_rights(sandbox: SandboxClient) -> None:
    SesEmail("shop@shop.example").send(message_to("ada@example.org"))
    listed = httpx.get(f"{sandbox.url}/inbox/messages").json()["messages"]

    shown = httpx.get(f"{sandbox.url}/inbox/messages/{listed[0]['id']}/html")

    assert shown.text == "<p>Your order 7 is <b>on its way</b>.</p>"
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox;")
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    ("search", "found"),
    [("order/7", 1), ("7", 1), ("order/", 0), ("15112345678", 1), (TAG, 1), ("order/77", 0)],
)
def test_the_page_finds_by_address_order_and_tag(
    sandbox: SandboxClient, search: str, found: int
) -> None:
    EndUserMessagingSms().send(message_to("+4915112345678"))

    page = httpx.get(f"{sandbox.url}/inbox/messages", params={"search": search}).json()

    assert len(page["messages"]) == page["found"] == found
