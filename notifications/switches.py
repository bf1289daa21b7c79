"""Switches: what holds queues back now, pauses and open breakers, as this process last saw it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import Error, connections, router
from django.db.models import F
from django.db.models.functions import Now

from notifications.consumers import Consumer
from notifications.glance import Glance
from notifications.models import Breaker, Pause

PROBE_UNDER_WAY = 1.0
"""Seconds to stay away from an account whose probe is due or out: its end is seen then."""


@dataclass(frozen=True)
class Trouble:
    """One account that fails. `probe_at`: on this process's monotonic clock, when it is open."""

    failures: int
    probe_at: float | None
    error: str

    @property
    def seconds(self) -> float:
        """How long to leave the account alone; 0 when it is not open."""
        if self.probe_at is None:
            return 0.0
        return max(self.probe_at - time.monotonic(), PROBE_UNDER_WAY)


@dataclass(frozen=True)
class Switches:
    """Every pause in force, in words, and every account in trouble.

    paused_queues, paused_channels: name without the prefix, and who paused it why. paused_accounts:
    the same of a provider's account. paused_templates: "<event type>/<channel>".
    """

    paused_queues: Mapping[str, str] = field(default_factory=dict)
    paused_channels: Mapping[str, str] = field(default_factory=dict)
    paused_accounts: Mapping[str, str] = field(default_factory=dict)
    paused_event_types: frozenset[str] = frozenset()
    paused_templates: frozenset[str] = frozenset()
    troubles: Mapping[str, Trouble] = field(default_factory=dict)

    def holds(self, queue: str, consumer: Consumer) -> str:
        """Why this queue of this consumer is not to be polled now; "" when nothing holds it."""
        return self.pause_of(queue, consumer) or self.breaker_of(consumer.account_name)

    def pause_of(self, queue: str, consumer: Consumer) -> str:
        """Who paused the queue, its channel or its account, and why; "" when nobody did."""
        return (
            self.paused_queues.get(queue, "")
            or self.paused_channels.get(consumer.channel, "")
            or self.paused_accounts.get(consumer.account_name, "")
        )

    def breaker_of(self, account: str) -> str:
        """Why the account is left alone; "" when its breaker is closed and nobody paused it."""
        if why := self.paused_accounts.get(account, ""):
            return why
        trouble = self.troubles.get(account)
        if trouble is None or trouble.probe_at is None:
            return ""
        return f"account {account} is left alone: {trouble.error}"

    def breaker_seconds(self, account: str) -> float:
        """How long to leave the account alone, until its next probe; 0 when its breaker is closed.

        Never 0 while it is open: a due probe is for whoever gets it by `try_probe`. Nor while the
        account is paused: that is over when somebody says so.
        """
        if account in self.paused_accounts:
            return PROBE_UNDER_WAY
        trouble = self.troubles.get(account)
        return trouble.seconds if trouble else 0.0

    def probe_is_due(self, account: str) -> bool:
        """Whether `Breaker.objects.try_probe` is worth a statement: not of an account on pause."""
        if account in self.paused_accounts:
            return False
        trouble = self.troubles.get(account)
        return bool(trouble and trouble.probe_at and trouble.probe_at <= time.monotonic())

    def puts_off(self, event_type: str, channel: str) -> bool:
        """Whether an event of the type is not to be told over the channel now. channel: empty for
        a service's queue, which no template concerns."""
        return (
            event_type in self.paused_event_types
            or f"{event_type}/{channel}" in self.paused_templates
        )

    def failing(self, account: str) -> bool:
        """Whether failures of the account are counted, so that a success must be written."""
        return account in self.troubles


def look() -> Switches:
    """The switches, at most OLDEST seconds old. Never raises.

    While the database is away the last ones stand. One thread reads, the others go on with
    those; only the first look of a process, and the first after `look_again`, are waited for.
    """
    return _view.look()


def look_again() -> None:
    """The next look reads the database: this process has just thrown a switch."""
    _view.age()


def read() -> Switches:
    """The switches from the database, now. Leaves the thread's connection as it found it.

    Threads of the worker that run no task come here, and nobody else would close theirs.
    """
    connection = connections[router.db_for_write(Breaker)]
    was_open = connection.connection is not None
    try:
        return _switches(
            Pause.objects.using(connection.alias).in_force(),
            Breaker.objects.using(connection.alias)
            .in_trouble()
            .annotate(probe_in=F("probe_at") - Now()),
        )
    except Error:
        was_open = connection.in_atomic_block  # broken, maybe: the next look takes a fresh one
        raise
    finally:
        if not was_open:
            connection.close()


def _switches(pauses: Iterable[Pause], breakers: Iterable[Breaker]) -> Switches:
    words: dict[str, dict[str, str]] = {kind: {} for kind in Pause.Kind.values}
    for pause in pauses:
        words[pause.kind][pause.name] = in_words(pause)
    return Switches(
        paused_queues=words[Pause.Kind.QUEUE],
        paused_channels=words[Pause.Kind.CHANNEL],
        paused_accounts=words[Pause.Kind.PROVIDER],
        paused_event_types=frozenset(words[Pause.Kind.EVENT_TYPE]),
        paused_templates=frozenset(words[Pause.Kind.TEMPLATE]),
        troubles={breaker.account: _trouble(breaker) for breaker in breakers},
    )


def in_words(pause: Pause) -> str:
    """ "queue email paused by ada: the account is being moved"."""
    by = f" by {pause.paused_by}" if pause.paused_by else ""
    return f"{pause} paused{by}{f': {pause.reason}' if pause.reason else ''}"


def _trouble(breaker: Breaker) -> Trouble:
    probe_in = getattr(breaker, "probe_in", None)
    return Trouble(
        failures=breaker.failures,
        probe_at=None if probe_in is None else time.monotonic() + probe_in.total_seconds(),
        error=breaker.last_error,
    )


_view = Glance(read, nothing=Switches(), name="switches")
