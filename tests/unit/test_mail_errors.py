"""What a mail server says before there is a message is about us; then it is about one person."""

from __future__ import annotations

import binascii
import smtplib
import ssl

import pytest
from anymail.exceptions import (
    AnymailAPIError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailUnsupportedFeature,
)
from django.core.mail import EmailMessage

from notifications.channels.mail_errors import translated
from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)

ADDRESS = "ada@example.org"


def meaning(error: Exception, *, asked: bool) -> tuple[type[NotificationError], str]:
    def send() -> None:
        with translated(EmailMessage(), address=ADDRESS) as stage:
            stage.asked = asked
            raise error

    with pytest.raises(NotificationError) as caught:
        send()
    assert ADDRESS not in str(caught.value)
    return type(caught.value), caught.value.code


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (smtplib.SMTPConnectError(554, b"no service for you"), ProviderPaused, "sender_554"),
        (smtplib.SMTPConnectError(421, b"too many of you"), TransientError, "421"),
        (smtplib.SMTPHeloError(550, b"unknown name"), ProviderPaused, "sender_550"),
        (smtplib.SMTPAuthenticationError(535, b"wrong"), ProviderPaused, "535"),
        (smtplib.SMTPAuthenticationError(454, b"later"), TransientError, "454"),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), ProviderPaused, "not_supported"),
        (smtplib.SMTPException("No suitable authentication"), ProviderPaused, "not_supported"),
        (binascii.Error("Incorrect padding"), ProviderPaused, "not_supported"),
        (smtplib.SMTPConnectError(-1, b"/1.1 400"), TransientError, "unreadable_answer"),
        (smtplib.SMTPServerDisconnected("gone"), TransientError, "not_connected"),
        (TimeoutError(), TransientError, "not_connected"),
        (ConnectionRefusedError(), TransientError, "not_connected"),
        (ssl.SSLCertVerificationError(1, "self-signed"), TransientError, "not_connected"),
    ],
)
def test_before_the_message_nothing_was_sent(
    error: Exception, kind: type[NotificationError], code: str
) -> None:
    assert meaning(error, asked=False) == (kind, code)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (smtplib.SMTPSenderRefused(550, b"not you", "s@x"), ProviderPaused, "sender_550"),
        (smtplib.SMTPSenderRefused(530, b"log in", "s@x"), ProviderPaused, "530"),
        (smtplib.SMTPSenderRefused(451, b"later", "s@x"), TransientError, "451"),
        (smtplib.SMTPSenderRefused(552, b"too large", "s@x"), PermanentError, "552"),
        (smtplib.SMTPDataError(554, f"{ADDRESS}: spam".encode()), PermanentError, "554"),
        (
            smtplib.SMTPRecipientsRefused({ADDRESS: (550, f"<{ADDRESS}> unknown".encode())}),
            PermanentError,
            "550",
        ),
        (smtplib.SMTPSenderRefused(-1, b"", "s@x"), TransientError, "unreadable_answer"),
        (smtplib.SMTPDataError(-1, b"ll"), OutcomeUnknown, "unreadable_answer"),
        (
            smtplib.SMTPResponseException(500, "Line too long."),
            OutcomeUnknown,
            "unreadable_answer",
        ),
        (smtplib.SMTPServerDisconnected("gone"), OutcomeUnknown, "connection_lost"),
        (ConnectionResetError(), OutcomeUnknown, "connection_lost"),
        (TimeoutError(), OutcomeUnknown, "read_timeout"),
    ],
)
def test_once_the_message_is_begun_it_may_have_been_sent(
    error: Exception, kind: type[NotificationError], code: str
) -> None:
    assert meaning(error, asked=True) == (kind, code)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (AnymailAPIError("by another SDK"), OutcomeUnknown, "api_error"),
        (AnymailUnsupportedFeature("two senders"), PermanentError, "invalid_request"),
        (AnymailInvalidAddress(f"{ADDRESS},"), PermanentError, "invalid_address"),
        (AnymailRecipientsRefused(), PermanentError, "recipient_refused"),
    ],
)
def test_anymail_s_errors_are_known_by_their_names(
    error: Exception, kind: type[NotificationError], code: str
) -> None:
    assert meaning(error, asked=True) == (kind, code)


def test_what_nobody_foresaw_is_left_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translated(EmailMessage(), address=ADDRESS):
        _ = 1 / 0
