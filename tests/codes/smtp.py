"""SMTP, as any mail server speaks it, and a provider's API by django-anymail."""

from __future__ import annotations

from tests.codes.base import Meaning, Row, Table, rows

SMTP = Table(
    "email-smtp",
    "Email: SMTP, or another Django email backend (`DjangoBackendEmail`)",
    (
        "RFC 5321, 4.2.3 (reply codes); RFC 4954, 4 and 6 (authentication); RFC 7504 (521, 556)",
        "SES Developer Guide, SMTP response codes",
        "Google Workspace Admin Help, SMTP errors and codes",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "421": "the server closes down for now",
                "432": "a new password is needed first",
                "450": "the mailbox is busy",
                "451": "an error in processing",
                "452": "not enough storage",
                "454": "a temporary failure: of authentication, of TLS, or too fast for SES",
                "455": "a parameter cannot be met for now",
                "499": "a code that nobody has heard of: 4 is for now",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "501": "the address's form is not valid",
                "550": "no such mailbox, or it takes nothing from us",
                "551": "the person is not here",
                "552": "the mailbox is full, or the email too large for it",
                "553": "the mailbox's name is not allowed",
                "555": "a parameter of the address is not known",
                "556": "the domain takes no email",
                "599": "a code that nobody has heard of: 5 is for good",
            },
        ),
        Row(
            "554", Meaning.PERMANENT, "said of the message: refused", arguments={"code": "data:554"}
        ),
        Row(
            "552",
            Meaning.PERMANENT,
            "said of the message: too large",
            arguments={"code": "data:552"},
        ),
        Row(
            "451",
            Meaning.TRANSIENT,
            "said of the message: an error",
            arguments={"code": "data:451"},
        ),
        Row(
            "unreadable_answer",
            Meaning.TRANSIENT,
            "before the message neither yes nor no",
            arguments={"code": "299"},
        ),
        Row(
            "unreadable_answer",
            Meaning.UNKNOWN,
            "said of the message: neither yes nor no",
            arguments={"code": "data:299"},
        ),
        *rows(
            Meaning.PAUSE,
            {
                "500": "a command is not known",
                "502": "a command is not there",
                "503": "commands in a wrong order: no authentication yet, mostly",
                "504": "a command's parameter is not there",
                "521": "the server takes no email",
                "530": "authentication is needed",
                "534": "a stronger authentication is needed",
                "535": "the user name or password is wrong",
                "538": "authentication only over TLS",
            },
        ),
        Row(
            "sender_554",
            Meaning.PAUSE,
            "554, and the text says that our sender is not verified (SES)",
            arguments={
                "code": "data:554",
                "message": "Message rejected: Email address is not verified. The following "
                "identities failed the check in region EU-CENTRAL-1: orders@shop.example",
            },
        ),
        Row(
            "554",
            Meaning.PERMANENT,
            "554, and the recipient is not (SES, while an account is on trial)",
            arguments={
                "code": "data:554",
                "message": "Message rejected: Email address is not verified. The following "
                "identities failed the check in region EU-CENTRAL-1: ada@example.org",
            },
        ),
        Row(
            "daily_quota_exceeded",
            Meaning.PAUSE,
            "as 454, and the text says that it is the day's quota (SES)",
            arguments={
                "code": "data:454",
                "message": "Throttling failure: Daily message quota exceeded.",
            },
        ),
        Row(
            "daily_quota_exceeded",
            Meaning.PAUSE,
            "as 550, and the text says that it is the account's day (Gmail)",
            arguments={
                "code": "550",
                "message": "5.4.5 Daily user sending limit exceeded.",
            },
        ),
    ),
    note="To our greeting or our sender's address, 501, 550, 551, 553, 554 and 555 are about us: "
    "`sender_550` and so on stop the account, as does `not_supported` (no STARTTLS, no AUTH we "
    "know, a password outside ASCII). "
    "What goes wrong before the message is begun is `not_connected`.",
)

ANYMAIL = Table(
    "email-anymail",
    "Email: another provider's API, by django-anymail (`DjangoBackendEmail`)",
    (
        "django-anymail, Exceptions: anymail.dev/en/stable/sending/exceptions",
        "Postmark, API error codes: postmarkapp.com/developer/api/overview (the one under test)",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "http_429": "too many requests",
                "http_500": "the provider failed",
                "http_502": "something before the provider failed",
                "http_503": "the provider is not available",
            },
        ),
        *rows(
            Meaning.PERMANENT, {"http_400": "the request cannot be right", "http_422": "the same"}
        ),
        Row(
            "recipient_rejected",
            Meaning.PERMANENT,
            "the provider takes nothing for this address: it bounced or complained before",
            arguments={
                "code": "406",
                "message": "You tried to send to a recipient that has been marked as inactive.\n "
                "Found inactive addresses: ada@example.org.\n Inactive recipients are ones that "
                "have generated a hard bounce or a spam complaint.",
            },
        ),
        Row(
            "recipient_invalid",
            Meaning.PERMANENT,
            "the provider says that this is no address",
            arguments={"code": "300", "message": "Invalid 'To' address: 'ada@example.org'."},
        ),
        *rows(
            Meaning.PAUSE,
            {
                "http_401": "the key is wrong",
                "http_402": "the account has not paid",
                "http_403": "the key may not send",
                "http_404": "no such domain, or a wrong address of the API",
                "http_405": "a wrong address of the API",
            },
        ),
        Row("http_504", Meaning.UNKNOWN, "a server in between stopped waiting for the provider"),
    ),
    note="`invalid_request` is what the provider's API has no words for, for good. Unknown are "
    "`unreadable_answer` (taken, with an answer that cannot be read) and `api_error` (a provider "
    "that anymail reaches by another SDK, and that did not say more).",
)
