"""By which providers the shop sends, as the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping

from notifications.conf import ChannelConf
from orders_site.environment import read


def email(environ: Mapping[str, str] = os.environ) -> ChannelConf:
    """Amazon SES; or, with EMAIL_URL, that mail server."""
    sender = read("EMAIL_FROM", environ)
    if server := read("EMAIL_URL", environ):
        return ChannelConf(
            "notifications.channels.django_email.DjangoBackendEmail",
            {"from_address": sender, "options": server},
        )
    return ChannelConf(
        "notifications.channels.email.SesEmail",
        {"from_address": sender, "configuration_set": read("SES_CONFIGURATION_SET", environ)},
    )


def sms(environ: Mapping[str, str] = os.environ) -> ChannelConf:
    """AWS End User Messaging; SMS_SENDERS names senders by country: "US=+12065550100 DE=MyShop"."""
    return ChannelConf(
        "notifications.channels.sms.EndUserMessagingSms",
        {
            "origination_identity": read("SMS_ORIGINATION_IDENTITY", environ),
            "configuration_set": read("SMS_CONFIGURATION_SET", environ),
            "senders": read("SMS_SENDERS", environ),
        },
    )


def whatsapp(environ: Mapping[str, str] = os.environ) -> ChannelConf:
    """AWS End User Messaging Social; or, with WHATSAPP_ACCESS_TOKEN, Meta's Cloud API."""
    options = {
        "phone_number_id": read("WHATSAPP_PHONE_NUMBER_ID", environ),
        "outside_window": read("WHATSAPP_OUTSIDE_WINDOW", environ),
    }
    if token := read("WHATSAPP_ACCESS_TOKEN", environ):
        return ChannelConf(
            "notifications.channels.whatsapp_cloud.CloudApiWhatsApp",
            {**options, "access_token": token, "endpoint": read("WHATSAPP_ENDPOINT", environ)},
        )
    return ChannelConf("notifications.channels.whatsapp.EndUserMessagingWhatsApp", options)
