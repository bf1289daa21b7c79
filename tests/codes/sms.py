"""AWS End User Messaging SMS."""

from __future__ import annotations

from tests.codes.aws import AWS
from tests.codes.base import Meaning, Row, Table, rows

_ELSEWHERE = {
    *("NO_ORIGINATION_IDENTITIES_FOUND", "NUMBER_CAPABILITIES_MISMATCH", "MESSAGE_TYPE_MISMATCH"),
    *("RESOURCE_NOT_ACTIVE", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED"),
    *("phone-number", "pool", "sender-id"),
    *("COUNTRY_NOT_ENABLED", "INTERNATIONAL_SENDING_NOT_SUPPORTED"),
    *("INVALID_IDENTITY_FOR_DESTINATION_COUNTRY", "SENDER_ID_NOT_REGISTERED"),
    *("SENDER_ID_NOT_SUPPORTED", "SENDER_ID_REQUIRES_REGISTRATION"),
}


def _because(code: str, meaning: Meaning, reasons: dict[str, str]) -> list[Row]:
    """Rows of one exception for the reasons it names; the attempt's text has the reason."""
    return [
        Row(
            code,
            meaning,
            f"{reason}: {says}",
            "refuse",
            {"code": f"{code}:{reason}"},
            elsewhere=reason in _ELSEWHERE,
        )
        for reason, says in reasons.items()
    ]


SMS = Table(
    "sms",
    "SMS: AWS End User Messaging (`EndUserMessagingSms`)",
    (
        (
            "SMS and Voice, version 2, SendTextMessage, Errors, and the reasons of each: "
            "docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2"
        ),
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "ThrottlingException": "faster than the sender's rate of parts",
                "InternalServerException": "an unexpected error of the service",
            },
        ),
        *_because(
            "ConflictException",
            Meaning.PERMANENT,
            {
                "DESTINATION_PHONE_NUMBER_OPTED_OUT": "the person answered STOP",
                "DESTINATION_PHONE_NUMBER_NOT_VERIFIED": "the account is on trial, and sends to "
                "verified numbers only",
                "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE": "a rule of the "
                "account blocks this number",
                "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION": "a rule of the account "
                "blocks its country",
                "NO_ORIGINATION_IDENTITIES_FOUND": "no sender of the account serves its country",
                "NUMBER_CAPABILITIES_MISMATCH": "the sender for its country sends no SMS",
                "MESSAGE_TYPE_MISMATCH": "the sender for its country is for other messages",
                "RESOURCE_NOT_ACTIVE": "the sender for its country is not active yet",
            },
        ),
        *_because(
            "ResourceNotFoundException",
            Meaning.PERMANENT,
            {
                "phone-number": "the sender for its country does not exist",
                "pool": "the sender for its country does not exist",
                "sender-id": "the sender for its country does not exist",
            },
        ),
        *_because(
            "ValidationException",
            Meaning.PERMANENT,
            {
                "COUNTRY_NOT_ENABLED": "the account does not send to its country",
                "DESTINATION_COUNTRY_BLOCKED": "its country is blocked",
                "FIELD_VALIDATION_FAILED": "the number or the text is not valid",
                "INTERNATIONAL_SENDING_NOT_SUPPORTED": "the sender serves its own country only",
                "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY": "the sender does not serve its country",
                "INVALID_PARAMETER": "a parameter is not valid",
                "PRICE_OVER_THRESHOLD": "it would cost more than allowed",
                "SENDER_ID_NOT_REGISTERED": "the sender id is not registered in its country",
                "SENDER_ID_NOT_SUPPORTED": "its country knows no sender ids",
                "SENDER_ID_REQUIRES_REGISTRATION": "its country wants them registered",
            },
        ),
        *_because(
            "ServiceQuotaExceededException",
            Meaning.PAUSE,
            {"MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT": "the month's money is spent"},
        ),
        *_because(
            "AccessDeniedException",
            Meaning.PAUSE,
            {
                "ACCOUNT_DISABLED": "the account may not send",
                "INSUFFICIENT_ACCOUNT_REPUTATION": "the account may not send any more",
            },
        ),
        Row(
            "configuration_set_not_found",
            Meaning.PAUSE,
            "as ResourceNotFoundException, of the configuration set: no message would pass",
            "refuse",
            {"code": "ResourceNotFoundException:configuration-set"},
        ),
    ),
    shared=(AWS,),
    note="What concerns a number's country is the message's, not the account's: senders differ by "
    "country, and the others go on. Before AWS is asked: `invalid_address`, `invalid_request` for "
    "an empty text, each for good.",
)
