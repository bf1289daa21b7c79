"""By which providers the shop sends, as the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from notifications.conf import ChannelConf

_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def email(environ: Mapping[str, str]) -> ChannelConf:
    """Amazon SES; or, with EMAIL_URL, that mail server:
    "smtp+tls://user:password@mail.example.com" (STARTTLS), "smtps://…" (TLS), "smtp://…" (neither).
    """
    sender = environ.get("EMAIL_FROM", "Harbour & Pine <orders@shop.example>")
    if url := environ.get("EMAIL_URL", ""):
        return ChannelConf(
            "notifications.channels.django_email.DjangoBackendEmail",
            {"from_address": sender, **_mail_server(url)},
        )
    return ChannelConf(
        "notifications.channels.email.SesEmail",
        {"from_address": sender, "configuration_set": environ.get("SES_CONFIGURATION_SET", "")},
    )


def sms(environ: Mapping[str, str]) -> ChannelConf:
    """AWS End User Messaging; SMS_SENDERS names senders by country: "US=+12065550100 DE=MyShop"."""
    senders = (each.partition("=") for each in environ.get("SMS_SENDERS", "").split())
    return ChannelConf(
        "notifications.channels.sms.EndUserMessagingSms",
        {
            "origination_identity": environ.get("SMS_ORIGINATION_IDENTITY", ""),
            "configuration_set": environ.get("SMS_CONFIGURATION_SET", ""),
            "senders": {country: sender for country, _, sender in senders},
        },
    )


def whatsapp(environ: Mapping[str, str]) -> ChannelConf:
    """AWS End User Messaging Social; or, with WHATSAPP_ACCESS_TOKEN, Meta's Cloud API."""
    options = {
        "phone_number_id": environ.get("WHATSAPP_PHONE_NUMBER_ID", ""),
        "outside_window": environ.get("WHATSAPP_OUTSIDE_WINDOW", "text"),
    }
    if token := environ.get("WHATSAPP_ACCESS_TOKEN", ""):
        endpoint = environ.get("WHATSAPP_ENDPOINT", "https://graph.facebook.com")
        return ChannelConf(
            "notifications.channels.whatsapp_cloud.CloudApiWhatsApp",
            {**options, "access_token": token, "endpoint": endpoint},
        )
    return ChannelConf("notifications.channels.whatsapp.EndUserMessagingWhatsApp", options)


def _mail_server(url: str) -> dict[str, Any]:
    """A URL of another kind is left to the system check, which finds no such backend."""
    try:
        server = urlsplit(url)
        port = server.port
    except ValueError:
        # A "/" in the password, say, that is not written %2F. The error quotes what follows the
        # colon: it must not be raised.
        return {"backend": "EMAIL_URL.EmailBackend"}
    if server.scheme not in _PORTS:
        return {"backend": f"{server.scheme or 'EMAIL_URL'}.EmailBackend"}
    return {
        "options": {
            "host": server.hostname or "",
            "port": port or _PORTS[server.scheme],
            "username": unquote(server.username or ""),
            "password": unquote(server.password or ""),
            "use_tls": server.scheme == "smtp+tls",
            "use_ssl": server.scheme == "smtps",
        },
    }
