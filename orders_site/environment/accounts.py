"""What accounts at AWS, Google, Meta and Twilio are known by, in the forms that these give them.

Whether there is such an account only they can tell; that it can be none is said before they do.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from notifications.setting import KMS_KEY_ARN
from orders_site.environment.kinds import Kind, matching, words

SHORTEST_SECRET = 16
"""Characters. Meta's and Twilio's have 32."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_SENDER = re.compile(r"[A-Za-z0-9_:/+-]{1,256}")
_OF_GOOGLE = (
    *("service_account", "external_account", "impersonated_service_account"),
    *("authorized_user", "external_account_authorized_user"),
)
"""What google-auth reads and FCM takes."""


def _senders(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split()]
    if not all(_COUNTRY.fullmatch(name) and _SENDER.fullmatch(given) for name, _, given in pairs):
        raise ValueError
    return {country: sender for country, _, sender in pairs}


def _google_credentials(text: str) -> str:
    """The path, once there is at it what Google gives out."""
    try:
        held = json.loads(Path(text).read_text())
    except OSError:
        raise ValueError from None
    if not isinstance(held, dict) or held.get("type") not in _OF_GOOGLE:
        raise ValueError
    if held["type"] == "service_account" and not {"client_email", "private_key"} <= held.keys():
        raise ValueError
    return text


def _others_secrets(text: str) -> tuple[str, ...]:
    found = words(text)
    if any(len(word) < SHORTEST_SECRET for word in found):
        raise ValueError
    return found


PREFIX = replace(matching(r"[A-Za-z0-9_-]+", "word", "letters, digits, - and _"), blank=True)
"""Set to nothing is not "not set": these would be the queues of somebody's "dev"."""
REGION = matching(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "region", 'a region of AWS, as "eu-central-1"')
KMS_KEY = matching(
    KMS_KEY_ARN,
    "ARN",
    "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID (an alias is none)",
)
CONFIGURATION_SET = matching(
    r"[A-Za-z0-9_:/-]{1,256}", "name", "its name, of letters, digits, - and _"
)
SENDER = matching(
    _SENDER.pattern, "sender", 'a number as "+12065550100", a sender id, or the ARN of one'
)
SENDERS = Kind("COUNTRY=sender", '"US=+12065550100 DE=MyShop"', _senders, blank=True)
PHONE_NUMBER_ID = matching(
    r"phone-number-id-[\w-]+|arn:\S+:phone-number-id/\w+|\d+",
    "id",
    'the id of the number, not the number: "phone-number-id-…" of AWS, or Meta\'s, of digits',
)
PROJECT = matching(
    r"[a-z][a-z0-9.:-]*[a-z0-9]|\d+",
    "id",
    'the id of a Google project, as "shop-4711", or its number',
)
GOOGLE_CREDENTIALS = Kind(
    "file",
    "the path of a service account's key, a JSON file that is there and may be read",
    _google_credentials,
)
OTHERS_SECRETS = Kind(
    "secrets",
    f"secrets of {SHORTEST_SECRET} characters or more, spaces between them",
    _others_secrets,
    secret=True,
    blank=True,
)
