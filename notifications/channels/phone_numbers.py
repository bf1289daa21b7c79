"""Phone numbers in E.164, as every provider of messages wants them."""

from __future__ import annotations

import re

import phonenumbers

from notifications.channels.answers import invalid_address
from notifications.exceptions import PermanentError

_NUMBER = re.compile(r"\+?[0-9 ().-]{6,25}\Z")

_MEXICO = 52
_BRAZIL_BEFORE = re.compile(r"\+?55(\d\d)([6-9]\d{7})\Z")
"""Mobile numbers of Brazil were given a 9 until 2016. WhatsApp knows who was there before by the
number that they had: what they write to us comes from it."""


def e164(address: str) -> str:
    """`+` and digits. Raises PermanentError "invalid_address".

    Whether it could be a number is asked, not whether it is one of a range in use: the
    tables of ranges age, and the provider knows better.
    """
    try:
        number = _of_today(phonenumbers.parse(address, None))
    except phonenumbers.NumberParseException:
        raise invalid_address("This is no phone number with a country code.") from None
    if not phonenumbers.is_possible_number(number):
        raise invalid_address("No number of this length exists in its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _of_today(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """Mobile numbers of Mexico had a 1 before them until 2019, which many a list still has, and
    WhatsApp for who was there before."""
    within = number.national_number or 0
    if number.country_code == _MEXICO and 10**10 <= within < 2 * 10**10:
        number.national_number = within - 10**10
    return number


def region(number: str) -> str:
    """The country of a number in E.164, by its two letters ("DE"); "" where it is no one country's.
    Numbers that share a country calling code are told apart ("US" and "CA")."""
    parsed = phonenumbers.parse(number, None)
    found = phonenumbers.region_code_for_number(parsed)
    if found is None:  # of no range in use, as far as the tables know
        found = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return "" if found in {"001", "ZZ"} else found


def dialled(address: str) -> str:
    """The one way of writing a number, by which it is known again: E.164, whether it came with a
    plus, with blanks, or, as Meta writes it, as bare digits, and be it those of years ago. What is
    no number stays as it is."""
    number = _BRAZIL_BEFORE.sub(r"+55\g<1>9\2", address.strip())
    if not _NUMBER.match(number):
        return number
    try:
        return e164(number if number.startswith("+") else f"+{number}")
    except PermanentError:
        return number
