"""Channels: adapters that cannot be made, and sends that may last too long."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications.channels import adapters
from notifications.channels.base import longest_send
from notifications.conf import conf
from notifications.consumers import all_consumers


def check_adapters() -> Iterator[CheckMessage]:
    for channel, provider in sorted(
        (channel, each.name)
        for channel, described in conf().channels.items()
        for each in described.each
    ):
        try:
            adapters.make(channel, provider)
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises is what to mend
            yield Error(
                f"The adapter of channel {channel!r} cannot be made: {error}",
                hint=f'Mend NOTIFICATIONS["CHANNELS"]["{channel}"]: the path of a ChannelAdapter '
                "and the options that it takes.",
                id="notifications.E005",
            )


def check_timeouts() -> Iterator[CheckMessage]:
    for consumer in all_consumers():
        described = conf().channels.get(consumer.channel)
        if described is None:
            continue
        longest = max(longest_send(each.options) for each in described.each)
        if longest >= consumer.max_seconds:
            yield Error(
                f"A send over {consumer.channel!r} may take {longest:g} s (connect_timeout + "
                f"read_timeout), but its messages are given {consumer.max_seconds} s: another "
                "worker would take over what is still being sent.",
                hint="Lower the timeouts in the channel's options, or raise its max_seconds.",
                id="notifications.E012",
            )
