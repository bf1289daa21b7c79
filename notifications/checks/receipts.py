"""System checks of receipts over HTTP, and of when they stop a channel."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse

from notifications.conf import conf

SHORTEST_SECRET = 16
"""Characters. Meta's and Twilio's have 32."""


def check_receipt_webhooks() -> Iterator[CheckMessage]:
    """Whoever may call can be told from anybody else, and there is something to call."""
    given = conf().receipt_webhooks
    setting = 'NOTIFICATIONS["RECEIPT_WEBHOOKS"]'
    for name in ("meta_app_secrets", "twilio_auth_tokens"):
        secrets = getattr(given, name)
        if isinstance(secrets, str) or any(len(secret) < SHORTEST_SECRET for secret in secrets):
            yield Error(
                f"{setting} has {name} that are no list of secrets, or of which one has fewer than "
                f"{SHORTEST_SECRET} characters: anybody could sign with it.",
                hint=f"Give {name}=(…,) as the provider's console shows it, or leave it out.",
                id="notifications.E040",
            )
    if given.meta_app_secrets and not given.meta_verify_token:
        yield Error(
            f"{setting} has meta_app_secrets and no meta_verify_token: Meta could not be told that "
            "the webhook is ours, and would not call.",
            hint="Give meta_verify_token=<a word of your own>, and the same one at Meta.",
            id="notifications.E040",
        )
    if given.twilio_auth_tokens and not conf().public_url:
        yield Warning(
            "Twilio signs the URL that it calls, and we can only guess it from the request.",
            hint='Give NOTIFICATIONS["PUBLIC_URL"], the address before any proxy '
            '("https://shop.example").',
            id="notifications.W041",
        )
    if given.meta_app_secrets or given.twilio_auth_tokens:
        yield from _unreachable(setting)


def check_reputation() -> Iterator[CheckMessage]:
    for problem in conf().reputation.problems():
        yield Error(
            f'NOTIFICATIONS["REPUTATION"]: {problem}.',
            hint="Give Reputation(…) as notifications.conf says, or leave it out.",
            id="notifications.E043",
        )


def _unreachable(setting: str) -> Iterator[CheckMessage]:
    try:
        reverse("notifications:receipts-meta")
    except NoReverseMatch:
        yield Error(
            f"{setting} has secrets, and notifications.urls is not included: nobody can call.",
            hint='Put path("notifications/", include("notifications.urls")) in the ROOT_URLCONF.',
            id="notifications.E042",
        )
