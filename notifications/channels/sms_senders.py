"""Who a text message comes from, by the country of its number.

A number of one country is often blocked or expensive in another, and a sender id ("MyShop") is
shown in some countries, needs registration in others, and does not exist in the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import phonenumbers

from notifications.channels.phone_numbers import region

ELSEWHERE = "*"
"""The key of the sender for every country that is not named."""

NUMBERS_ONLY = frozenset({"CA", "CN", "US"})
"""Countries that know no sender ids (AWS End User Messaging SMS, User Guide, "Sender IDs").
https://docs.aws.amazon.com/sms-voice/latest/userguide/sender-id.html"""

_IDENTITY = re.compile(r"(?:arn:|pool-|phone-|sender-id-|rcs-)[A-Za-z0-9_:/-]+\Z")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_SHORT_CODE = re.compile(r"[0-9]{3,8}\Z")
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}\Z")
"""1 to 11 letters, digits and hyphens, a letter among them ("Request a sender ID")."""


class Senders:
    """`by_country`: {"US": "+12065550100", "DE": "MyShop", "*": "pool-…"}. Raises ValueError for
    what no provider takes."""

    def __init__(self, by_country: Mapping[str, str], *, otherwise: str = "") -> None:
        self._by_country = dict(by_country)
        self._elsewhere = self._by_country.pop(ELSEWHERE, otherwise)
        for country, sender in self._by_country.items():
            _check(country, sender)
        if self._elsewhere:
            _check(ELSEWHERE, self._elsewhere)
        self._one_for_all = not self._by_country and not _is_sender_id(self._elsewhere)

    def of(self, number: str) -> str:
        """The sender for a number in E.164; "" where the provider is to choose: there is none for
        its country, or only a sender id where they do not exist."""
        if self._one_for_all:
            return self._elsewhere
        country = region(number)
        if sender := self._by_country.get(country):
            return sender
        unknown_there = country in NUMBERS_ONLY and _is_sender_id(self._elsewhere)
        return "" if unknown_there else self._elsewhere


def _check(country: str, sender: str) -> None:
    if country != ELSEWHERE and country not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(
            f'senders has {country!r}, which is no country: two letters as "DE", or "*" for all '
            "others."
        )
    if not any(form.match(sender) for form in (_IDENTITY, _NUMBER, _SHORT_CODE, _SENDER_ID)):
        raise ValueError(
            f"The sender for {country!r} is {sender!r}: it must be a number as +12065550100, a "
            "short code, a sender id of at most 11 letters, digits and hyphens (a letter among "
            "them), or the id or ARN of a pool, number or sender id."
        )
    if country in NUMBERS_ONLY and _is_sender_id(sender):
        raise ValueError(f"The sender for {country!r} is {sender!r}: no sender ids exist there.")


def _is_sender_id(sender: str) -> bool:
    return bool(_SENDER_ID.match(sender)) and not _IDENTITY.match(sender)
