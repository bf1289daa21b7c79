"""The adapters in use: one per channel of NOTIFICATIONS["CHANNELS"], made once per process."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from notifications.channels.base import ChannelAdapter
from notifications.conf import conf

_making = Lock()


def adapter(channel: str) -> ChannelAdapter:
    """The channel's adapter. Raises ImproperlyConfigured for a channel that is not configured."""
    with _making:  # threads that ask at once must not make two: each would have its own connections
        return _made(channel)


def make(channel: str) -> ChannelAdapter:
    """A new adapter as the settings describe it, or ImproperlyConfigured saying what is wrong."""
    try:
        described = conf().channels[channel]
    except KeyError:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["CHANNELS"] has no {channel!r}; '
            f"it has: {', '.join(sorted(conf().channels)) or 'none'}."
        ) from None
    try:
        return cast(ChannelAdapter, import_string(described.adapter)(**described.options))
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["CHANNELS"][{channel!r}]: {described.adapter}: {error}'
        ) from error


_made = cache(make)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        _made.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.channels.adapters")
