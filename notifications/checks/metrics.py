"""System checks of who may have the metrics."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning
from django.urls import NoReverseMatch, reverse

from notifications.checks.keys import SHORTEST_SECRET
from notifications.conf import conf


def check_metrics() -> Iterator[CheckMessage]:
    token = conf().metrics_token
    if not token:
        return
    setting = 'NOTIFICATIONS["METRICS_TOKEN"]'
    if len(token) < SHORTEST_SECRET or not token.isascii() or any(map(str.isspace, token)):
        yield Error(
            f"{setting} has fewer than {SHORTEST_SECRET} characters, or such as no header carries: "
            "it could be guessed, or never be given.",
            hint="Give it the word that `openssl rand -hex 24` prints, or leave it out.",
            id="notifications.E083",
        )
    try:
        reverse("notifications-metrics:metrics")
    except NoReverseMatch:
        yield Warning(
            f"{setting} is set, and notifications.metrics.urls is not included: nobody can ask.",
            hint='Put path("metrics", include("notifications.metrics.urls")) in the ROOT_URLCONF; '
            "of the shop's processes those with WEB_CONSOLE=1 have it, so give the token to them.",
            id="notifications.W084",
        )
