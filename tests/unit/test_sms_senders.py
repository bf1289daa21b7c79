"""A text message comes from the sender of its number's country."""

from __future__ import annotations

import pytest

from notifications.channels.phone_numbers import region
from notifications.channels.sms_senders import Senders

BY_COUNTRY = {"US": "+12065550100", "DE": "MyShop", "*": "pool-0123456789abcdef"}


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+4915112345678", "DE"),
        ("+12065550123", "US"),
        ("+14165550123", "CA"),  # the same country calling code
        ("+447400123456", "GB"),
        ("+88299123456", ""),  # an international network: no one country's
    ],
)
def test_a_number_tells_its_country(number: str, country: str) -> None:
    assert region(number) == country


@pytest.mark.parametrize(
    ("number", "sender"),
    [
        ("+4915112345678", "MyShop"),
        ("+12065550123", "+12065550100"),
        ("+14165550123", "pool-0123456789abcdef"),
    ],
)
def test_each_country_has_its_sender(number: str, sender: str) -> None:
    assert Senders(BY_COUNTRY).of(number) == sender


def test_one_sender_is_everybody_s() -> None:
    assert Senders({}, otherwise="+12065550100").of("+4915112345678") == "+12065550100"


def test_a_country_of_its_own_goes_before_the_one_for_all() -> None:
    senders = Senders({"DE": "MyShop"}, otherwise="+12065550100")

    assert senders.of("+4915112345678") == "MyShop"
    assert senders.of("+447400123456") == "+12065550100"


def test_the_provider_chooses_where_the_shop_does_not() -> None:
    assert Senders({"DE": "MyShop"}).of("+447400123456") == ""
    assert Senders({}).of("+447400123456") == ""


def test_a_sender_id_is_not_used_where_there_are_none() -> None:
    assert Senders({}, otherwise="MyShop").of("+12065550123") == ""
    assert Senders({"*": "MyShop"}).of("+447400123456") == "MyShop"


@pytest.mark.parametrize(
    "sender",
    [
        "+12065550100",
        "70707",
        "MyShop",
        "my-shop-1",
        "pool-0123456789abcdef0123456789abcdef",
        "arn:aws:sms-voice:eu-west-1:000000000000:sender-id/MyShop/DE",
    ],
)
def test_a_number_a_name_and_an_id_are_senders(sender: str) -> None:
    assert Senders({"DE": sender}).of("+4915112345678") == sender


@pytest.mark.parametrize(
    ("senders", "match"),
    [
        ({"DE": "Harbour & Pine"}, "at most 11 letters"),
        ({"DE": "HarbourAndPine"}, "at most 11 letters"),
        ({"DE": "Müller"}, "at most 11 letters"),
        ({"DE": ""}, "must be a number"),
        ({"Germany": "MyShop"}, "no country"),
        ({"XX": "MyShop"}, "no country"),
        ({"US": "MyShop"}, "no sender ids exist there"),
    ],
)
def test_what_no_provider_takes_is_said_at_once(senders: dict[str, str], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Senders(senders)
