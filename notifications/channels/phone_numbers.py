"""Phone numbers in E.164, as every provider of messages wants them."""

from __future__ import annotations

import phonenumbers

from notifications.channels.answers import invalid_address


def e164(address: str) -> str:
    """`+` and digits. Raises PermanentError "invalid_address".

    Whether it could be a number is asked, not whether it is one of a range in use: the
    tables of ranges age, and the provider knows better.
    """
    try:
        number = phonenumbers.parse(address, None)
    except phonenumbers.NumberParseException:
        raise invalid_address("This is no phone number with a country code.") from None
    if not phonenumbers.is_possible_number(number):
        raise invalid_address("No number of this length exists in its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
