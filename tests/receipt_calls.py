"""Calls as Meta and Twilio make them, signed or not, and the settings that take them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from notifications.channels.correlation import Correlation, to_query, to_whatsapp_callback
from notifications.conf import ReceiptWebhooks

META, TWILIO = "/notifications/receipts/meta", "/notifications/receipts/twilio"
APP_SECRET, NEW_SECRET = "a secret of Meta's app", "the secret that follows it"
VERIFY_TOKEN, AUTH_TOKEN = "a word that we agreed on", "the token of the account"
PUBLIC_URL = "https://shop.example"
WEBHOOKS = ReceiptWebhooks(
    meta_app_secrets=(APP_SECRET, NEW_SECRET),
    meta_verify_token=VERIFY_TOKEN,
    twilio_auth_tokens=(AUTH_TOKEN,),
)


def meta_body(*statuses: dict[str, Any], messages: tuple[dict[str, Any], ...] = ()) -> bytes:
    value = {"messaging_product": "whatsapp", "statuses": list(statuses)}
    if messages:
        value["messages"] = list(messages)
    change = {"field": "messages", "value": value}
    entry = [{"id": "102290129340398", "changes": [change]}]
    return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()


def meta_status(
    tag: str, word: str, *, to: str = "4915112345678", **changed: Any
) -> dict[str, Any]:
    """One status of `statuses`, said now."""
    return {
        "id": f"wamid.{tag}",
        "status": word,
        "timestamp": str(int(time.time())),
        "recipient_id": to,
        "biz_opaque_callback_data": to_whatsapp_callback(Correlation(tag)),
        **changed,
    }


def meta_signature(body: bytes, secret: str = APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def call_meta(body: bytes, *, signature: str | None = None, **changed: Any) -> Any:
    """The answer. signature: the right one, if none is given."""
    return Client(enforce_csrf_checks=True).post(
        META,
        body,
        content_type=changed.pop("content_type", "application/json"),
        headers={"X-Hub-Signature-256": meta_signature(body) if signature is None else signature},
        **changed,
    )


def twilio_form(status: str, *, to: str = "+4915112345678", **changed: str) -> dict[str, str]:
    return {
        "MessageSid": "SM5f7b1c2e8a1d4e0012c3b4a512345678",
        "MessageStatus": status,
        "To": to,
        "From": "+12125550101",
        "AccountSid": "AC00000000000000000000000000000000",
        "ApiVersion": "2010-04-01",
        **changed,
    }


def twilio_signature(url: str, form: dict[str, str], token: str = AUTH_TOKEN) -> str:
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def call_twilio(
    form: dict[str, str], *, tag: str = "", signature: str | None = None, base: str = PUBLIC_URL
) -> Any:
    """The answer. The tag travels in the URL's query, which is signed with the rest."""
    path = f"{TWILIO}?{to_query(Correlation(tag))}" if tag else TWILIO
    right = twilio_signature(base + path, form)
    return Client(enforce_csrf_checks=True).post(
        path,
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": right if signature is None else signature},
    )
