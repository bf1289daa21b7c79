"""An SMS costs what the mobile network counts."""

from __future__ import annotations

import pytest

from notifications.channels.base import Content, Message
from notifications.channels.sms import EndUserMessagingSms
from notifications.channels.sms_parts import Encoding, Segments, parts, segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("ÄÖÜäöüß§à" + "a" * 151, 1),
        ("\n" * 160, 1),
    ],
)
def test_the_gsm_alphabet_has_160_places_and_153_in_each_of_several(text: str, count: int) -> None:
    assert parts(text) == count


@pytest.mark.parametrize(("text", "count"), [("€" * 80, 1), ("€" * 81, 2), ("{" + "a" * 158, 1)])
def test_a_character_of_the_extension_table_takes_two_places(text: str, count: int) -> None:
    assert parts(text) == count


def test_an_escaped_character_is_not_split_between_two_parts() -> None:
    assert parts("a" * 152 + "€" + "a" * 152) == 3
    assert parts("a" * 152 + "b" + "a" * 153) == 2


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("ç" + "a" * 69, 1),  # of the cedillas the alphabet has the capital only
        ("ç" + "a" * 70, 2),
        ("й" * 134, 2),
        ("й" * 135, 3),
        ("🎉" * 35, 1),
        ("🎉" * 36, 2),
    ],
)
def test_any_other_text_has_70_places_and_67_in_each_of_several(text: str, count: int) -> None:
    assert parts(text) == count


def test_a_surrogate_pair_is_not_split_between_two_parts() -> None:
    assert parts("🎉" * 67) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24,90 €", Segments(Encoding.GSM_7, characters=7, places=8, parts=1)),
        ("a" * 161, Segments(Encoding.GSM_7, characters=161, places=161, parts=2)),
        ("Grüße 🎉", Segments(Encoding.UCS_2, characters=7, places=8, parts=1)),
        ("", Segments(Encoding.GSM_7, characters=0, places=0, parts=1)),
    ],
)
def test_a_text_is_told_its_encoding_characters_and_parts(text: str, expected: Segments) -> None:
    assert segments(text) == expected


def test_the_alphabet_has_its_127_characters_and_ten_more() -> None:
    from notifications.channels import sms_parts

    assert (len(sms_parts._BASIC), len(sms_parts._EXTENSION)) == (127, 10)


def test_the_adapter_weighs_a_message_by_its_parts() -> None:
    message = Message("+49301234567", Content("a" * 161), "1.0.1", "1.0", "order.shipped", "o/1")

    assert EndUserMessagingSms().weight(message) == 2
