"""System checks of channels with several providers, and of fallbacks from channel to channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from numbers import Real

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from notifications import rate_limits
from notifications.conf import ChannelConf, Fallback, conf
from notifications.consumers import all_consumers
from notifications.providers import NAME, of_consumer


def check_providers() -> Iterator[CheckMessage]:
    """E036: a channel has one adapter or several providers, each with a name and a weight."""
    for channel, described in sorted(conf().channels.items()):
        for problem in _problems_of(described):
            yield Error(
                f"Channel {channel!r}: {problem}",
                hint="Give ChannelConf either an adapter with its options, or "
                "providers=(ProviderConf(name, adapter, options, weight=…), …).",
                id="notifications.E036",
            )


def check_provider_limits() -> Iterator[CheckMessage]:
    """E037: each provider's own rate limit is readable."""
    for consumer in all_consumers():
        for provider in of_consumer(consumer):
            try:
                rate_limits.declared(consumer, provider)
            except ImproperlyConfigured as error:
                yield Error(
                    str(error),
                    hint=f'Mend it in NOTIFICATIONS["CHANNELS"]["{provider.channel}"]; "none" is '
                    "no limit.",
                    id="notifications.E037",
                )


def check_fallbacks() -> Iterator[CheckMessage]:
    """E038: a fallback names several channels, each once, and a time to try them in."""
    for event_type, routes in sorted(conf().routes.items()):
        for rule in dict.fromkeys(route.rule for route in routes if route.rule):
            for problem in _problems_with(rule):
                yield Error(
                    f"The fallback of {event_type} over {', '.join(rule.channels)}: {problem}",
                    hint='Write Fallback(("push", "sms"), within=timedelta(minutes=30)); to tell '
                    "over one channel alone, Route.",
                    id="notifications.E038",
                )


def check_route_names() -> Iterator[CheckMessage]:
    """E039: no two routes of one event are the same delivery."""
    for event_type, routes in sorted(conf().routes.items()):
        counted = Counter((route.channel, route.name) for route in routes)
        for channel, name in sorted(pair for pair, count in counted.items() if count > 1):
            yield Error(
                f"{event_type} has two routes over {channel!r} that are named {name!r}: they would "
                "be one delivery.",
                hint="Give one of them another name: Route(channel, name=…), or Fallback(name=…).",
                id="notifications.E039",
            )


def _problems_of(described: ChannelConf) -> Iterator[str]:
    providers = described.providers
    if described.adapter and providers:
        yield "it has an adapter and providers."
    for name, count in Counter(each.name for each in providers).items():
        if count > 1:
            yield f"{count} of its providers are named {name!r}."
        elif not NAME.match(name):
            yield f"{name!r} is no provider's name: use 1 to 39 of a-z, 0-9 and -, a letter first."
    for each in providers:
        if isinstance(each.weight, bool) or not isinstance(each.weight, Real) or each.weight <= 0:
            yield f"provider {each.name!r} has the weight {each.weight!r}: give a number above 0."


def _problems_with(rule: Fallback) -> Iterator[str]:
    if len(rule.channels) < 2:
        yield "there is nothing to fall back to."
    if len(set(rule.channels)) < len(rule.channels):
        yield "a channel stands in it twice."
    if not isinstance(rule.within, timedelta) or rule.within <= timedelta():
        yield "within must be a timedelta above 0."
    if stray := sorted(set(rule.confirmed) - set(rule.channels)):
        yield f"confirmed names {', '.join(stray)}, which is none of its channels."
