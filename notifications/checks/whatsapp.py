"""What a shop that sends free texts in conversations only must have besides."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning

from notifications import rendering
from notifications.channels.meta import CHANNEL
from notifications.conf import conf


def check_whatsapp_templates() -> Iterator[CheckMessage]:
    """`outside_window="template"` refuses an event without one to who has not written lately."""
    described = conf().channels.get(CHANNEL)
    if described is None or not any(
        each.options.get("outside_window") == "template" for each in described.each
    ):
        return
    for event_type, routes in sorted(conf().routes.items()):
        routed = any(route.channel == CHANNEL for route in routes)
        if routed and not rendering.has_provider_template(event_type, CHANNEL):
            yield Warning(
                f"{event_type} is told by {CHANNEL} and names no template there: only people "
                "who wrote to us within 24 hours will be told.",
                hint=f"Have one approved, and name it in {event_type}/{CHANNEL}.template.json.",
                id="notifications.W030",
            )
