"""SMS parts: how many messages of the mobile network one text takes, each of them paid for.

A part has 140 octets. A text of the GSM alphabet goes with 7 bits a character: 160 in a single
part; any other, with 16 bits: 70. Of several parts each begins with a header of 6 octets, which
leaves 153 or 67.

Sources: 3GPP TS 23.038, 6.2.1 (the alphabet and its extension table, whose characters take two
places: escape and character) and 6.2.3 (UCS2; handsets and providers send UTF-16 in it); TS
23.040, 9.2.3.24.1 (the header of concatenated messages).
"""

from __future__ import annotations

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION

SEVEN_BIT, SEVEN_BIT_OF_SEVERAL = 160, 153
"""Places of a part in the GSM alphabet: alone, and as one of several."""

SIXTEEN_BIT, SIXTEEN_BIT_OF_SEVERAL = 70, 67
"""Places (UTF-16 code units) of a part in any other alphabet."""


def parts(text: str) -> int:
    """How many parts the text is sent in; 1 for an empty one.

    Neither an escaped character nor a surrogate pair is split between two parts.
    """
    if _GSM.issuperset(text):
        places = [2 if character in _EXTENSION else 1 for character in text]
        return _parts(places, SEVEN_BIT, SEVEN_BIT_OF_SEVERAL)
    places = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return _parts(places, SIXTEEN_BIT, SIXTEEN_BIT_OF_SEVERAL)


def _parts(places: list[int], alone: int, of_several: int) -> int:
    return 1 if sum(places) <= alone else _filled(places, of_several)


def _filled(places: Iterable[int], room: int) -> int:
    count, used = 1, 0
    for place in places:
        if used + place > room:
            count, used = count + 1, 0
        used += place
    return count
