"""What a Django email backend raises, in our words: smtplib's errors, anymail's, and the network's.

anymail is known by the names of its exceptions: whoever uses SMTP need not have it installed.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.errors import HeaderParseError
from typing import Any

from django.core.mail import BadHeaderError, EmailMessage

from notifications.channels.answers import Codes, is_unverified, retry_after
from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.redaction import redact

UNREADABLE = "unreadable_answer"
DAILY_QUOTA = "daily_quota_exceeded"
_QUOTA_MESSAGE = re.compile(r"daily (?:\w+ ){0,4}(?:quota|limit) exceeded")
"""Amazon SES by SMTP says it with a 454, Gmail with a 550, which elsewhere is about the recipient:
"Daily message quota exceeded"; "Daily user sending limit exceeded", "Daily SMTP relay limit …"."""

# RFC 5321, 4.2.3 and RFC 4954, section 6 (authentication); in words in tests/codes/smtp.py.
SMTP_CODES = Codes(
    paused=frozenset({"500", "502", "503", "504", "521", "530", "534", "535", "538", DAILY_QUOTA}),
    transient=frozenset({"421", "432", "450", "451", "452", "454", "455"}),
    permanent=frozenset({"501", "550", "551", "552", "553", "554", "555", "556"}),
)
HTTP_CODES = Codes(
    paused=frozenset({"http_401", "http_402", "http_403", "http_404", "http_405"}),
    unknown=frozenset({"http_504"}),
)
"""A provider's HTTP statuses: a refused key, an unpaid account, a domain or address of the API that
does not exist concern every message."""

ABOUT_US = frozenset({"501", "550", "551", "553", "554", "555"})
"""Codes by which a server refuses us, rather than a recipient, when it says them to our greeting or
to our sender's address."""


@dataclass
class Stage:
    """How far a send has come."""

    asked: bool = False
    """The server may have read the message, or part of it."""


@contextmanager
def translated(email: EmailMessage, *, address: str) -> Iterator[Stage]:
    """Around one send. Nothing is chained: the originals hold the whole email."""
    stage = Stage()
    try:
        yield stage
    except NotificationError:
        raise
    except Exception as error:
        translation = _translation(error, email, stage, address)
        if translation is None:
            raise  # what nobody foresaw
        raise translation from None


def _translation(
    error: Exception, email: EmailMessage, stage: Stage, address: str
) -> NotificationError | None:
    if _is_of(error, "AnymailError"):
        return _of_anymail(error, email, address)
    match error:
        case BadHeaderError() | HeaderParseError():  # the latter of an attachment, as it is written
            return PermanentError("A header of the email has a line break.", "invalid_header")
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return _said(next(iter(refused.values())), address)
        case smtplib.SMTPException() | ValueError() if _is_about_login(error, stage):
            return ProviderPaused(
                "The mail server does not offer what the settings ask for (STARTTLS, AUTH; user "
                "name and password in ASCII).",
                "not_supported",
            )
        case smtplib.SMTPResponseException() if stage.asked and _is_unreadable(error):
            return OutcomeUnknown("The mail server's answer cannot be read.", UNREADABLE)
        case smtplib.SMTPSenderRefused() | smtplib.SMTPHeloError() | smtplib.SMTPConnectError():
            return _said((error.smtp_code, error.smtp_error), address, to_us=True)
        case smtplib.SMTPResponseException():
            said = (error.smtp_code, error.smtp_error)
            to_us = not stage.asked or is_unverified(_text(error.smtp_error), email.from_email)
            return _said(said, address, to_us=to_us)
        case OSError():  # SMTPServerDisconnected among them
            return _lost(error, stage)
    answer = getattr(getattr(email, "anymail_status", None), "esp_response", None)
    if answer is None:
        return None
    # anymail keeps what it takes for no refusal, then reads it; not every provider's has a status
    return _of_status(answer, getattr(answer, "status_code", 200), address)


def _is_about_login(error: Exception, stage: Stage) -> bool:
    """smtplib says by its root class that there is no way to log in that both sides know, and by a
    ValueError that a challenge is no base64, or a password no ASCII."""
    if isinstance(error, ValueError):
        return not (stage.asked or isinstance(error, OSError))  # a certificate's error is both
    return type(error) in (smtplib.SMTPException, smtplib.SMTPNotSupportedError)


def _is_unreadable(error: smtplib.SMTPResponseException) -> bool:
    """Whether the message may have been taken, for all that was said: by its root class smtplib
    means a line without an end, and the answer to a message that is neither 250 nor a refusal."""
    if type(error) is smtplib.SMTPResponseException:
        return True
    return isinstance(error, smtplib.SMTPDataError) and not _is_refusal(error.smtp_code)


def _is_refusal(number: int) -> bool:
    """RFC 5321, 4.2.1. smtplib says -1 for what is no number."""
    return 400 <= number <= 599


def _said(
    answer: tuple[int, bytes | str], address: str, *, to_us: bool = False
) -> NotificationError:
    """What an SMTP server answered; `to_us`: not about a recipient, so that it holds for all."""
    number, text = answer
    code = str(number)
    said = _text(text)
    shown = redact(said, address=address)
    if not _is_refusal(number):
        return TransientError(f"The mail server said neither yes nor no: {shown}", UNREADABLE)
    if to_us and code in ABOUT_US:
        return ProviderPaused(shown, f"sender_{code}")
    if _QUOTA_MESSAGE.search(said.lower()):
        code = DAILY_QUOTA
    # Of a code that nobody has heard of the first digit decides (RFC 5321, 4.2.1).
    return SMTP_CODES.error(code, 503 if code.startswith("4") else 400, shown, None)


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _lost(error: OSError, stage: Stage) -> NotificationError:
    if not stage.asked or _certificate_refused(error):
        return TransientError("The mail server cannot be reached.", "not_connected")
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return OutcomeUnknown("The mail server did not answer in time.", "read_timeout")
    return OutcomeUnknown("The connection ended before the answer came.", "connection_lost")


def _of_anymail(error: Any, email: EmailMessage, address: str) -> NotificationError:
    if _is_of(error, "AnymailRecipientsRefused"):
        return PermanentError("The provider takes nothing for this address.", _refusal(email))
    if _is_of(error, "AnymailInvalidAddress"):
        return PermanentError("This is no email address.", "invalid_address")
    if not _is_of(error, "AnymailAPIError"):
        return PermanentError(
            f"The provider's API has no way to say this ({type(error).__name__}).",
            "invalid_request",
        )
    if error.status_code is None:
        return _of_requests(error)
    return _of_status(error.response, error.status_code, address)


def _of_status(response: Any, status: int, address: str) -> NotificationError:
    if status < 300:  # taken, with an answer that cannot be read
        return OutcomeUnknown("The provider's answer cannot be read.", UNREADABLE)
    text = redact(str(getattr(response, "text", "")), address=address)
    wait = retry_after(getattr(response, "headers", {}).get("Retry-After"))
    return HTTP_CODES.error(f"http_{status}", status, text, wait)


def _of_requests(error: Any) -> NotificationError:
    """No answer: anymail's error is that of `requests` too, which is known by its names as well. Of
    a provider that anymail reaches in another way nothing can be said."""
    if not _is_of(error, "RequestException"):
        return OutcomeUnknown("The provider's API failed.", "api_error")
    if _is_of(error, "ReadTimeout"):
        return OutcomeUnknown("The provider did not answer in time.", "read_timeout")
    never_connected = {"NewConnectionError", "NameResolutionError"}
    if (
        _is_of(error, "ConnectTimeout", "ProxyError")
        or _certificate_refused(error)
        or any(type(each).__name__ in never_connected for each in _chain(error))
    ):
        return TransientError("The provider cannot be reached.", "not_connected")
    return OutcomeUnknown("The connection ended before the answer came.", "connection_lost")


def _refusal(email: EmailMessage) -> str:
    """`recipient_rejected` (of an earlier bounce or complaint), `recipient_invalid` …"""
    status = getattr(getattr(email, "anymail_status", None), "status", None) or {"refused"}
    return f"recipient_{sorted(map(str, status))[0]}"


def _certificate_refused(error: BaseException) -> bool:
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_of(error: BaseException, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)
