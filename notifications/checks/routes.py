"""Routes: to channels that are there, of event types that are, with their templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.core.checks import CheckMessage, Error

from notifications import digests, rendering
from notifications.conf import conf
from notifications.consumers import all_consumers
from notifications.events import all_event_types


def check_routes() -> Iterator[CheckMessage]:
    registered = {kind.name for kind in all_event_types()}
    for event_type, routes in sorted(conf().routes.items()):
        for channel in sorted({route.channel for route in routes} - set(conf().channels)):
            yield Error(
                f"{event_type} is routed to {channel!r}, which is no channel.",
                hint=f'Add {channel!r} to NOTIFICATIONS["CHANNELS"], or take the Route away.',
                id="notifications.E006",
            )
        if event_type not in registered:
            yield unregistered(event_type, 'NOTIFICATIONS["ROUTES"]', registered)
    yield from _unserved()
    for consumer in all_consumers():
        if consumer.channel:
            continue  # it wants what is routed to it, which was looked at above
        for event_type in sorted((consumer.wants or frozenset()) - registered):
            yield unregistered(event_type, f"consumer {consumer.name!r}", registered)


def check_templates() -> Iterator[CheckMessage]:
    for event_type, routes in sorted(digests.told_routes().items()):
        for channel in sorted({route.channel for route in routes}):
            yield from (
                Error(
                    f"{event_type} is told by {channel}, but there is no template {path}.",
                    hint="Put it below one of TEMPLATES' DIRS, or into an app's templates.",
                    id="notifications.E008",
                )
                for path in rendering.missing_templates(event_type, channel)
            )
            yield from (
                Error(
                    f"A template does not compile: {problem}",
                    hint="Mend the template.",
                    id="notifications.E008",
                )
                for problem in rendering.broken_templates(event_type, channel)
            )


def _unserved() -> Iterator[CheckMessage]:
    routed = {route.channel for routes in conf().routes.values() for route in routes}
    served = {consumer.channel for consumer in all_consumers()}
    for channel in sorted((routed & set(conf().channels)) - served):
        yield Error(
            f"Events are routed to {channel!r}, which no consumer serves: nobody would be told.",
            hint=f"Declare its task and register_channel({channel!r}, task=…) in an app's "
            "consumers.py (notifications.channels.consumers shows how).",
            id="notifications.E016",
        )


def unregistered(event_type: str, where: str, registered: Iterable[str]) -> CheckMessage:
    """E007. where: what names it."""
    return Error(
        f"{where} names the event type {event_type!r}, which nobody registered.",
        hint=f"Declare it with @event({event_type!r}, …) in the events.py of an installed app; "
        f"registered are: {', '.join(sorted(registered)) or 'none'}. (The shop routes what "
        "WEBHOOK_EVENTS names, too.)",
        id="notifications.E007",
    )
