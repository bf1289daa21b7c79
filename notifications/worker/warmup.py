"""Warm-up: what the first message would wait for is made before it is received.

A boto3 client is built from megabytes of JSON, which takes a tenth of a second and more, and all
that time no other thread runs: a turn that falls into it is missed, and its send comes late.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress

from notifications import consumers
from notifications.channels.adapters import adapter
from notifications.conf import conf
from notifications.worker import broker

PATIENCE = 3.0
"""Seconds that a start waits for it: one of the channels may ask a provider that hangs."""


def warm_up(names: Iterable[str]) -> None:
    """Make the clients of SQS, and those of the channels that these consumers serve."""
    channels = {channel for name in names if (channel := consumers.get(name).channel)}
    thread = threading.Thread(target=_make, args=(channels,), name="warm-up", daemon=True)
    thread.start()
    thread.join(PATIENCE)


def _make(channels: Iterable[str]) -> None:
    with suppress(Exception):  # whatever it is, who needs it says it
        broker.prepare()
    for channel in sorted(channels):
        for described in conf().channels[channel].each:
            with suppress(Exception):
                adapter(channel, described.name).prepare()
