"""An email as SES is handed it: simple where that will do, raw where it will not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from notifications.channels.base import Attachment, Message
from notifications.channels.email import SesEmail
from notifications.channels.mime import MAX_BYTES
from notifications.exceptions import PermanentError
from notifications.local.providers.client import SandboxClient
from tests.channels import INVOICE, TAG, message_to

UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://shop.example/u/abc>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@pytest.fixture
def adapter() -> SesEmail:
    return SesEmail("Bücher & Söhne <orders@shop.example>")


def email(
    headers: Mapping[str, str] | None = None, attachments: tuple[Attachment, ...] = ()
) -> Message:
    return replace(message_to("ada@example.org"), headers=headers or {}, attachments=attachments)


def test_headers_go_with_a_simple_email(adapter: SesEmail, sandbox: SandboxClient) -> None:
    adapter.send(email(UNSUBSCRIBE))

    (sent,) = sandbox.accepted("email")
    assert sent.headers.items() >= UNSUBSCRIBE.items()
    assert sent.headers["X-Notification-Tag"] == TAG
    assert "MIME-Version" not in sent.headers  # SES writes the email


def test_a_sender_outside_ascii_is_handed_over_in_ascii(sandbox: SandboxClient) -> None:
    adapter = SesEmail("Bücher & Söhne <orders@bücher.example>")

    adapter.send(email())
    adapter.send(email(attachments=(INVOICE,)))

    for sent in sandbox.accepted("email"):
        assert sent.sender == "Bücher & Söhne <orders@xn--bcher-kva.example>"


def test_an_attachment_arrives_with_all_the_rest_of_the_email(
    adapter: SesEmail, sandbox: SandboxClient
) -> None:
    answer = adapter.send(email(UNSUBSCRIBE, (INVOICE,)))

    (sent,) = sandbox.accepted("email")
    assert sent.attachments == ("Rechnung Nº 7.pdf",)
    assert (sent.address, sent.tag, sent.event_type) == ("ada@example.org", TAG, "order.shipped")
    assert (sent.title, sent.text.strip()) == (
        "Order 7 shipped ✓",
        "Your order 7 is on its way: 24,90 €.",
    )
    assert sent.headers.items() >= UNSUBSCRIBE.items()
    assert "Bücher & Söhne" in sent.sender
    assert sent.provider_message_id == answer.provider_message_id


def test_a_header_that_simple_content_cannot_hold_is_encoded(
    adapter: SesEmail, sandbox: SandboxClient
) -> None:
    adapter.send(email({"X-Shop": "Bücher", "X-Long": "word " * 300}))

    (sent,) = sandbox.accepted("email")
    assert sent.headers["X-Shop"] == "Bücher"
    assert sent.headers["X-Long"].split() == ["word"] * 300


@pytest.mark.parametrize("attachments", [(), (INVOICE,)], ids=["simple", "raw"])
def test_a_header_cannot_begin_another_one(
    adapter: SesEmail, sandbox: SandboxClient, attachments: tuple[Attachment, ...]
) -> None:
    with pytest.raises(PermanentError) as caught:
        adapter.send(email({"X-Note": "harmless\r\nBcc: eve@example.org"}, attachments))

    assert caught.value.code == "invalid_header"
    assert "eve@example.org" not in str(caught.value)
    assert sandbox.requests("email") == 0


def test_what_is_too_large_for_ses_is_refused_before_it_is_asked(
    adapter: SesEmail, sandbox: SandboxClient
) -> None:
    scan = Attachment("scan.tiff", "image/tiff", bytes(MAX_BYTES * 3 // 4))

    with pytest.raises(PermanentError, match=r"41\.\d MB") as caught:
        adapter.send(email(attachments=(scan,)))

    assert caught.value.code == "message_too_large"
    assert sandbox.requests("email") == 0


def test_a_sender_that_is_not_verified_is_told_from_a_recipient_that_is_not(
    adapter: SesEmail, sandbox: SandboxClient
) -> None:
    said = "Email address is not verified. The following identities failed: ada@example.org"
    sandbox.script("email", "refuse", code="MessageRejected", message=said)

    with pytest.raises(PermanentError) as caught:
        adapter.send(email())

    assert caught.value.code == "MessageRejected"
