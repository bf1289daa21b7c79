"""Email through Django's backends: SMTP with STARTTLS and a password, anymail, and any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend

from notifications.channels import adapters
from notifications.channels.base import Attachment, ChannelAdapter
from notifications.channels.django_email import DjangoBackendEmail
from notifications.channels.mail_connections import MailConnections, _has_something_to_say
from notifications.channels.mime import MAX_BYTES
from notifications.conf import ChannelConf
from notifications.exceptions import PermanentError, ProviderPaused, TransientError
from notifications.local.providers.client import SandboxClient
from notifications.local.providers.smtp import WRONG_PASSWORD
from tests.channels import INVOICE, PATIENCE, TAG, anymail, message_to, smtp
from tests.waiting import wait_for

MESSAGE = message_to("ada@example.org")
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("make", [smtp, anymail])
def test_headers_and_attachments_arrive(make: type[ChannelAdapter], sandbox: SandboxClient) -> None:
    unsubscribe = {"List-Unsubscribe": "<https://shop.example/u/abc>"}

    make().send(replace(MESSAGE, headers=unsubscribe, attachments=(INVOICE,)))

    (sent,) = sandbox.accepted("email")
    assert sent.attachments == (INVOICE.name,)
    assert sent.headers.items() >= unsubscribe.items()
    assert sent.title == "Order 7 shipped ✓"


def test_a_mail_server_whose_certificate_does_not_hold_is_not_spoken_to(
    sandbox: SandboxClient,
) -> None:
    with pytest.raises(TransientError) as caught:
        smtp().send(MESSAGE)

    assert caught.value.code == "not_connected"
    assert sandbox.requests("email") == 0


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_stops_the_account(sandbox: SandboxClient) -> None:
    with pytest.raises(ProviderPaused) as caught:
        smtp(password=WRONG_PASSWORD).send(MESSAGE)

    assert caught.value.code == "535"
    assert sandbox.requests("email") == 0


def test_a_password_is_not_said_where_anybody_can_listen(sandbox: SandboxClient) -> None:
    """The server offers AUTH after STARTTLS only, and the settings ask for no STARTTLS."""
    with pytest.raises(ProviderPaused) as caught:
        smtp(use_tls=False).send(MESSAGE)

    assert caught.value.code == "not_supported"


@pytest.mark.usefixtures("trusted")
def test_smtp_knows_an_email_again_by_the_id_that_a_bounce_quotes(sandbox: SandboxClient) -> None:
    answer = smtp().send(MESSAGE)

    assert answer.provider_message_id == f"<{TAG}@shop.example>"
    assert sandbox.accepted("email")[0].headers["Message-ID"] == answer.provider_message_id


def test_anymail_s_provider_names_it(sandbox: SandboxClient) -> None:
    adapter = anymail()

    answer = adapter.send(MESSAGE)

    assert adapter.provider == "postmark"
    assert sandbox.accepted("email")[0].provider_message_id == answer.provider_message_id


@pytest.mark.usefixtures("trusted")
def test_a_connection_serves_one_email_after_another(sandbox: SandboxClient) -> None:
    adapter = smtp()
    adapter.prepare()
    (before,) = _idle(adapter)
    adapter.send(MESSAGE)
    adapter.send(MESSAGE)

    assert _idle(adapter) == [before]
    assert len(sandbox.accepted("email")) == 2


@pytest.mark.usefixtures("trusted", "sandbox")
def test_a_connection_that_failed_serves_nobody_again(sandbox: SandboxClient) -> None:
    sandbox.script("email", "refuse", code="550", times=1)
    adapter = smtp()

    with pytest.raises(PermanentError):
        adapter.send(MESSAGE)

    assert _idle(adapter) == []


@pytest.mark.usefixtures("trusted")
def test_a_connection_that_was_hung_up_meanwhile_is_not_used(sandbox: SandboxClient) -> None:
    adapter = smtp()
    adapter.prepare()
    (backend,) = _idle(adapter)
    backend.connection.docmd("QUIT")  # the server says goodbye, and hangs up by and by
    wait_for(lambda: _has_something_to_say(backend), what="the server to hang up")

    assert adapter.send(MESSAGE).provider_message_id
    assert _idle(adapter) != [backend]


@pytest.mark.parametrize(("kept", "same"), [(60.0, True), (0.0, False)])
def test_a_connection_that_nobody_used_for_long_is_not_used(kept: float, same: bool) -> None:
    connections = MailConnections(LOCMEM, {}, kept=kept)
    with connections.lent(PATIENCE) as first:
        pass

    with connections.lent(PATIENCE) as second:
        assert (second is first) is same


@pytest.fixture
def outbox() -> Iterator[list[mail.EmailMessage]]:
    mail.outbox = []
    yield mail.outbox
    mail.outbox = []


def test_any_backend_of_django_will_do(outbox: list[mail.EmailMessage]) -> None:
    adapter = DjangoBackendEmail("orders@shop.example", backend=LOCMEM)

    answer = adapter.send(MESSAGE)

    assert adapter.provider == "locmem"
    assert outbox[0].to == ["ada@example.org"]
    assert outbox[0].extra_headers["Message-ID"] == answer.provider_message_id


def test_a_line_break_in_a_header_is_refused_for_good(outbox: list[mail.EmailMessage]) -> None:
    adapter = DjangoBackendEmail("orders@shop.example", backend=LOCMEM)

    with pytest.raises(PermanentError) as caught:
        adapter.send(replace(MESSAGE, headers={"X-Note": "one\nBcc: eve@example.org"}))

    assert caught.value.code == "invalid_header"
    assert outbox == []


@pytest.mark.usefixtures("trusted")
def test_so_is_one_in_the_name_of_an_attachment(sandbox: SandboxClient) -> None:
    scan = Attachment("scan\nBcc: eve@example.org", "image/tiff", b"a scan")

    with pytest.raises(PermanentError) as caught:
        smtp().send(replace(MESSAGE, attachments=(scan,)))

    assert caught.value.code == "invalid_header"
    assert sandbox.requests("email") == 0


def test_what_no_mail_server_takes_is_refused_before_it_is_asked(sandbox: SandboxClient) -> None:
    scan = Attachment("scan.tiff", "image/tiff", bytes(MAX_BYTES * 3 // 4))

    with pytest.raises(PermanentError) as caught:
        smtp().send(replace(MESSAGE, attachments=(scan,)))

    assert caught.value.code == "message_too_large"


class Reluctant(BaseEmailBackend):
    """As anymail is when a receiver of its `pre_send` signal cancels the send."""

    def send_messages(self, messages: list[mail.EmailMessage]) -> int:
        return 0


def test_what_the_backend_did_not_send_was_not_sent(outbox: list[mail.EmailMessage]) -> None:
    path = f"{Reluctant.__module__}.{Reluctant.__qualname__}"

    with pytest.raises(PermanentError) as caught:
        DjangoBackendEmail("orders@shop.example", backend=path).send(MESSAGE)

    assert caught.value.code == "not_sent"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "shop.mail.Nowhere"}, "shop"),
        ({"options": {"use_tls": True, "use_ssl": True}}, "mutually exclusive"),
        ({"backend": "anymail.backends.postmark.EmailBackend"}, "POSTMARK_SERVER_TOKEN"),
        ({"from_address": ""}, "from_address"),
    ],
)
def test_what_is_wrong_with_the_settings_is_said_at_start_up(
    settings: pytest.FixtureRequest, options: dict[str, object], match: str
) -> None:
    described = ChannelConf(
        "notifications.channels.django_email.DjangoBackendEmail",
        {"from_address": "orders@shop.example", **options},
    )
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": {"email": described}}

    with pytest.raises(ImproperlyConfigured, match=match):
        adapters.make("email")


def _idle(adapter: ChannelAdapter) -> list[Any]:
    """The connections that wait for the next email."""
    assert isinstance(adapter, DjangoBackendEmail)
    return [backend for backend, _ in adapter._connections._idle]
