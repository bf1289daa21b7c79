"""Receipts in each provider's own JSON, as `notifications.channels.receipts` cites it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from notifications.channels.correlation import to_ses_tags, to_sms_context, to_whatsapp_callback
from notifications.local.providers.store import Incoming


@dataclass(frozen=True)
class Taken:
    """One message that the sandbox took. `at`: Unix seconds."""

    incoming: Incoming
    provider_message_id: str
    at: float


_READER = {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"}


def email(taken: Taken, kind: str) -> dict[str, Any]:
    """An event of an SES configuration set."""
    now = _iso(time.time())
    address = taken.incoming.addresses[0]
    event_type, name, what = {
        "accepted": ("Send", "send", {}),
        "delayed": (
            "DeliveryDelay",
            "deliveryDelay",
            {
                "timestamp": now,
                "delayType": "TransientCommunicationFailure",
                "delayedRecipients": [
                    {"emailAddress": address, "status": "4.4.1", "diagnosticCode": "smtp; 421 wait"}
                ],
            },
        ),
        "delivered": (
            "Delivery",
            "delivery",
            {
                "timestamp": now,
                "processingTimeMillis": 500,
                "recipients": [address],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "mta.example.com",
            },
        ),
        "opened": ("Open", "open", {"timestamp": now, **_READER}),
        "clicked": (
            "Click",
            "click",
            {"timestamp": now, "link": "https://shop.example/", "linkTags": None, **_READER},
        ),
        "bounced": (
            "Bounce",
            "bounce",
            _bounce(address, now, "Permanent", "General", "5.1.1", "550 5.1.1", "user unknown"),
        ),
        "soft_bounced": (
            "Bounce",
            "bounce",
            _bounce(address, now, "Transient", "MailboxFull", "5.2.2", "552 5.2.2", "quota"),
        ),
        "complained": (
            "Complaint",
            "complaint",
            {
                "complainedRecipients": [{"emailAddress": address}],
                "timestamp": now,
                "feedbackId": str(uuid4()),
                "complaintSubType": None,
                "complaintFeedbackType": "abuse",
            },
        ),
        "rejected": ("Reject", "reject", {"reason": "Bad content"}),
    }[kind]
    tags = {tag["Name"]: [tag["Value"]] for tag in to_ses_tags(taken.incoming.correlation)}
    mail = {
        "timestamp": _iso(taken.at),
        "messageId": taken.provider_message_id,
        "source": taken.incoming.sender,
        "sendingAccountId": "000000000000",
        "destination": list(taken.incoming.addresses),
        "headersTruncated": False,
        "tags": {"ses:configuration-set": ["sandbox"], **tags},
    }
    return {"eventType": event_type, "mail": mail, name: what}


def _bounce(
    address: str, now: str, kind: str, sub_type: str, status: str, reply: str, why: str
) -> dict[str, Any]:
    recipient = {
        "emailAddress": address,
        "action": "failed",
        "status": status,
        "diagnosticCode": f"smtp; {reply} {address} {why}",
    }
    return {
        "bounceType": kind,
        "bounceSubType": sub_type,
        "bouncedRecipients": [recipient],
        "timestamp": now,
        "feedbackId": str(uuid4()),
        "reportingMTA": "dsn; mta.example.com",
    }


_SMS = {
    "accepted": ("QUEUED", "Message has been queued for delivery", False),
    "delayed": ("UNREACHABLE", "The phone is off or out of reach for now", False),
    "delivered": ("DELIVERED", "Message has been accepted by phone", True),
    "bounced": ("BLOCKED", "The recipient takes no messages", True),
    "soft_bounced": ("CARRIER_BLOCKED", "Blocked by the phone's carrier", True),
    "rejected": ("INVALID", "The destination phone number is not valid", True),
}


def sms(taken: Taken, kind: str) -> dict[str, Any]:
    """An event of an End User Messaging configuration set. Nobody complains about a text."""
    status, description, final = _SMS[kind]
    return {
        "eventType": f"TEXT_{status}",
        "eventVersion": "1.0",
        "eventTimestamp": round(time.time() * 1000),
        "isFinal": final,
        "originationPhoneNumber": taken.incoming.sender,
        "destinationPhoneNumber": taken.incoming.addresses[0],
        "isoCountryCode": "DE",
        "messageId": taken.provider_message_id,
        "messageRequestTimestamp": round(taken.at * 1000),
        "messageEncoding": "GSM",
        "messageType": "TRANSACTIONAL",
        "messageStatus": status,
        "messageStatusDescription": description,
        "context": to_sms_context(taken.incoming.correlation),
        "totalMessageParts": 1,
        "totalMessagePrice": 0.0,
        "totalCarrierFee": 0.0,
    }


_WHATSAPP: Mapping[str, tuple[str, list[dict[str, Any]]]] = {
    "accepted": ("sent", []),
    "delivered": ("delivered", []),
    "read": ("read", []),
    "rejected": ("failed", [{"code": 131026, "title": "Message undeliverable"}]),
}


def whatsapp(taken: Taken, kind: str) -> dict[str, Any]:
    """A webhook entry of Meta's, as End User Messaging Social hands it on."""
    status, errors = _WHATSAPP[kind]
    said = {
        "id": f"wamid.{taken.provider_message_id}",
        "status": status,
        "timestamp": str(int(time.time())),
        "recipient_id": taken.incoming.addresses[0].removeprefix("+"),
        "biz_opaque_callback_data": to_whatsapp_callback(taken.incoming.correlation),
        **({"errors": errors} if errors else {}),
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": taken.incoming.sender},
        "statuses": [said],
    }
    return {
        "context": {"MetaWabaIds": [], "MetaPhoneNumberIds": []},
        "whatsAppWebhookEntry": json.dumps(
            {"id": "0", "changes": [{"value": value, "field": "messages"}]}
        ),
        "aws_account_id": "000000000000",
        "message_timestamp": _iso(time.time()),
        "messageId": str(uuid4()),
    }


_EMAIL = frozenset(
    {
        *("accepted", "delayed", "delivered", "opened", "clicked"),
        *("bounced", "soft_bounced", "complained", "rejected"),
    }
)
FORMS: Mapping[str, tuple[Callable[[Taken, str], dict[str, Any]], frozenset[str]]] = {
    "email": (email, _EMAIL),
    "sms": (sms, frozenset(_SMS)),
    "whatsapp": (whatsapp, frozenset(_WHATSAPP)),
}
"""By channel: how a receipt is written, and the kinds that this provider has."""


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
