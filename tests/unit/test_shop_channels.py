"""The environment chooses the shop's providers."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.channels import adapters
from notifications.channels.django_email import DjangoBackendEmail
from notifications.channels.email import SesEmail
from notifications.channels.sms import EndUserMessagingSms
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.channels.whatsapp_cloud import CloudApiWhatsApp
from orders_site import channels

PHONE = {"WHATSAPP_PHONE_NUMBER_ID": "106540352242922"}


@pytest.mark.parametrize(
    ("choose", "environ", "adapter"),
    [
        (channels.email, {}, SesEmail),
        (channels.email, {"EMAIL_URL": "smtps://mail.example.com"}, DjangoBackendEmail),
        (channels.sms, {"SMS_SENDERS": "US=+12065550100 DE=MyShop"}, EndUserMessagingSms),
        (channels.whatsapp, PHONE, EndUserMessagingWhatsApp),
        (channels.whatsapp, {**PHONE, "WHATSAPP_ACCESS_TOKEN": "EAA"}, CloudApiWhatsApp),
    ],
)
def test_each_choice_makes_its_adapter(
    settings: Any, choose: Any, environ: dict[str, str], adapter: type
) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": {"it": choose(environ)}}

    assert type(adapters.make("it")) is adapter


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl"),
    [
        ("smtp+tls://us%40er:p%2Fw@mail.example.com", "mail.example.com", 587, True, False),
        ("smtps://us%40er:p%2Fw@mail.example.com:1465", "mail.example.com", 1465, False, True),
        ("smtp://us%40er:p%2Fw@127.0.0.1:1025", "127.0.0.1", 1025, False, False),
    ],
)
def test_a_mail_server_is_one_url(url: str, host: str, port: int, tls: bool, ssl: bool) -> None:
    assert channels.email({"EMAIL_URL": url}).options["options"] == {
        "host": host,
        "port": port,
        "username": "us@er",
        "password": "p/w",
        "use_tls": tls,
        "use_ssl": ssl,
    }


def test_a_password_is_not_shown_with_the_settings() -> None:
    described = [
        channels.email({"EMAIL_URL": "smtps://user:opensesame@mail.example.com"}),
        channels.whatsapp({"WHATSAPP_ACCESS_TOKEN": "opensesame"}),
    ]

    assert "opensesame" not in repr(described)
