"""Providers: who takes a channel's messages, where there are several, and in which order.

    ChannelConf(
        providers=(
            ProviderConf("ses", "….SesEmail", {…}, weight=9, rate_limit="50/s"),
            ProviderConf("relay", "….DjangoBackendEmail", {…}, weight=1, rate_limit="5/s"),
        )
    )

Each is an account of its own, with a breaker and a rate limit of its own. What becomes of a
message that one of them does not take: `notifications.failover`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from notifications.channels import adapters
from notifications.channels.base import ChannelAdapter
from notifications.conf import ProviderConf, conf
from notifications.consumers import Consumer

NAME = re.compile(r"[a-z][a-z0-9-]{0,38}\Z")
"""A provider's: it stands on attempts, and in the account's name."""


@dataclass(frozen=True)
class Provider:
    """One of several of a channel. account: whose breaker and rate limit it goes by."""

    channel: str
    name: str
    weight: float
    rate_limit: str

    @property
    def account(self) -> str:
        return f"{self.channel}.{self.name}"

    @property
    def adapter(self) -> ChannelAdapter:
        return adapters.adapter(self.channel, self.name)


def of_channel(channel: str) -> tuple[Provider, ...]:
    """The several providers of a channel; none where it has an only one."""
    described = conf().channels.get(channel)
    if described is None or not described.providers:
        return ()
    return tuple(_provider(channel, each) for each in described.providers)


def of_consumer(consumer: Consumer) -> tuple[Provider, ...]:
    """Those of the channel that it serves; none where its account is its own, or shared."""
    return of_channel(consumer.channel) if consumer.channel else ()


def accounts_of(consumer: Consumer) -> tuple[str, ...]:
    """The accounts that hold it back, by name: one, or as many as it has providers."""
    several = of_consumer(consumer)
    return tuple(each.account for each in several) or (consumer.account_name,)


def ranked(providers: Iterable[Provider], key: str) -> list[Provider]:
    """In the order in which they are asked for `key`: at random by weight, and always the same.

    Without the first, the others keep their order and their weights. The largest of
    u ** (1 / weight), u being uniform, comes first (Efraimidis and Spirakis, "Weighted random
    sampling with a reservoir", 2006); u is a hash of key and name, so that nobody has to remember
    what was drawn.
    """
    return sorted(
        providers,
        key=lambda each: math.log(_uniform(f"{key}/{each.name}")) / each.weight,
        reverse=True,
    )


def _uniform(text: str) -> float:
    """Between 0 and 1, neither included but for rounding."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return ((int.from_bytes(digest) >> 12) + 0.5) / 2**52


def _provider(channel: str, described: ProviderConf) -> Provider:
    return Provider(channel, described.name, described.weight, described.rate_limit)
