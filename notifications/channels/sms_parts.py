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
from dataclasses import dataclass
from enum import StrEnum

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


_NO_BREAK_SPACES = str.maketrans(dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", " "))


class Encoding(StrEnum):
    """How the mobile network writes a text."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True)
class Segments:
    """What a text costs. places: of the encoding's alphabet, of which an escaped character or an
    emoji takes two; `characters`, as the person who writes it counts them."""

    encoding: Encoding
    characters: int
    places: int
    parts: int


def segments(text: str) -> Segments:
    """How the text is sent; an empty one in one part.

    Neither an escaped character nor a surrogate pair is split between two parts.
    """
    if _GSM.issuperset(text):
        encoding, alone, of_several = Encoding.GSM_7, SEVEN_BIT, SEVEN_BIT_OF_SEVERAL
        places = [2 if character in _EXTENSION else 1 for character in text]
    else:
        encoding, alone, of_several = Encoding.UCS_2, SIXTEEN_BIT, SIXTEEN_BIT_OF_SEVERAL
        places = [2 if ord(character) > 0xFFFF else 1 for character in text]
    taken = sum(places)
    count = 1 if taken <= alone else _filled(places, of_several)
    return Segments(encoding, len(text), taken, count)


def parts(text: str) -> int:
    """How many parts the text is sent in; 1 for an empty one."""
    return segments(text).parts


def breakable(text: str) -> str:
    """With plain spaces in place of those that amounts and times are written with: the GSM alphabet
    has no other, and one such would have the whole text sent with 16 bits a character."""
    return text.translate(_NO_BREAK_SPACES)


def _filled(places: Iterable[int], room: int) -> int:
    count, used = 1, 0
    for place in places:
        if used + place > room:
            count, used = count + 1, 0
        used += place
    return count
