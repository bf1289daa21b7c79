"""The adapters in use: one per provider of NOTIFICATIONS["CHANNELS"], made once per process."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from notifications.channels.base import AwsRight, ChannelAdapter
from notifications.conf import ProviderConf, conf

_making = Lock()


def adapter(channel: str, provider: str = "") -> ChannelAdapter:
    """The channel's adapter, or that of one of its several providers. Raises ImproperlyConfigured
    for what is not configured."""
    with _making:  # threads that ask at once must not make two: each would have its own connections
        return _made(channel, provider)


def make(channel: str, provider: str = "") -> ChannelAdapter:
    """A new adapter as the settings describe it, or ImproperlyConfigured saying what is wrong."""
    described, where = _described(channel, provider)
    if not described.adapter:
        raise ImproperlyConfigured(f"{where}: it has no adapter: give its dotted path.")
    try:
        return cast(ChannelAdapter, import_string(described.adapter)(**described.options))
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"{where}: {described.adapter}: {error}") from error


def aws_rights(channel: str) -> tuple[AwsRight, ...]:
    """What IAM must allow whoever sends over the channel. No adapter is made: options may be
    missing where the answer is wanted. Raises ImproperlyConfigured."""
    return tuple(right for kind in _classes(channel) for right in kind.aws_rights)


def bouncing(channel: str) -> tuple[str, ...]:
    """Its providers that tell of bounces, by their names as attempts have them; without an only one
    that is known by its options. Raises ImproperlyConfigured."""
    described = zip(conf().channels[channel].each, _classes(channel), strict=True)
    names = (
        each.name or getattr(kind, "provider", "") for each, kind in described if kind.tells_bounces
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _classes(channel: str) -> list[type[ChannelAdapter]]:
    try:
        return [import_string(each.adapter) for each in conf().channels[channel].each]
    except ImportError as error:
        raise ImproperlyConfigured(f'NOTIFICATIONS["CHANNELS"][{channel!r}]: {error}') from error


def _described(channel: str, provider: str) -> tuple[ProviderConf, str]:
    """It, and where it stands. Without a name it is the only one, or the first."""
    try:
        each = conf().channels[channel].each
    except KeyError:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["CHANNELS"] has no {channel!r}; '
            f"it has: {', '.join(sorted(conf().channels)) or 'none'}."
        ) from None
    where = f'NOTIFICATIONS["CHANNELS"][{channel!r}]'
    for described in each:
        if provider in ("", described.name):
            return described, f"{where}, {described.name}" if described.name else where
    named = ", ".join(described.name for described in each)
    raise ImproperlyConfigured(f"{where} has no provider {provider!r}; it has: {named}.")


_made = cache(make)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        _made.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.channels.adapters")
