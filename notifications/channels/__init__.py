"""Channels: one file per adapter, each a class with `send()`. `adapter()` finds the configured one."""

from __future__ import annotations

from functools import cache
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from notifications.channels.base import ChannelAdapter
from notifications.conf import conf


@cache
def adapter(channel: str) -> ChannelAdapter:
    """The channel's adapter, made once per process from NOTIFICATIONS["CHANNELS"]."""
    try:
        chosen = conf().channels[channel]
    except KeyError:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["CHANNELS"] has no {channel!r}; '
            f"it has: {', '.join(sorted(conf().channels)) or 'none'}."
        ) from None
    return cast(ChannelAdapter, import_string(chosen.adapter)(**chosen.options))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        adapter.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.channels")
