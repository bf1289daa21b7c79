"""Amazon SES, API v2."""

from __future__ import annotations

from tests.codes.aws import AWS
from tests.codes.base import Meaning, Row, Table, rows

SES = Table(
    "email",
    "Email: Amazon SES, API v2 (`SesEmail`)",
    (
        "SES API v2, SendEmail, Errors: docs.aws.amazon.com/ses/latest/APIReference-V2",
        "SES Developer Guide, Errors related to sending quotas; Service quotas",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "TooManyRequestsException": "faster than the account's rate",
                "ThrottlingException": "faster than the API's rate",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "BadRequestException": "the request cannot be right: an address, a header",
                "MessageRejected": "the content is refused, or, while the account is on trial, the "
                "recipient",
                "SomethingNew": "a code that nobody has heard of, with HTTP 400",
            },
        ),
        *rows(
            Meaning.PAUSE,
            {
                "AccessDeniedException": "the credentials may not send",
                "AccountSuspendedException": "the account may not send any more",
                "LimitExceededException": "a quota of the account is used up",
                "MailFromDomainNotVerifiedException": "the MAIL FROM domain is not verified",
                "NotFoundException": "there is no such configuration set",
                "SendingPausedException": "sending is paused, for the account or the set",
            },
        ),
        Row(
            "daily_quota_exceeded",
            Meaning.PAUSE,
            "as TooManyRequestsException, and the text says that it is the day's quota",
            "refuse",
            {"code": "TooManyRequestsException", "message": "Daily message quota exceeded."},
        ),
        Row(
            "sender_not_verified",
            Meaning.PAUSE,
            "as MessageRejected, and the text names our own address or domain",
            "refuse",
            {
                "code": "MessageRejected",
                "message": "Email address is not verified. The following identities failed the "
                "check in region EU-WEST-1: Orders <orders@shop.example>",
            },
        ),
    ),
    shared=(AWS,),
    note="Before SES is asked: `invalid_address`, `invalid_header`, and `message_too_large` for "
    "more than 40 MB, each for good.",
)
