"""Counting: what this process has done, by the metrics of the table.

Called from the middle of the work, so it costs a microsecond or two, and raises nothing of its own.
What a label may be is bounded: ids and addresses are never one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from threading import Lock

from celery.exceptions import SoftTimeLimitExceeded
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from notifications.metrics import table
from notifications.metrics.table import SECONDS, TABLE, Kind, Metric

MOST_SERIES = 1000
"""Of one metric: beyond, its labels are all OTHER, whatever went wrong with them."""

OTHER = "other"

logger = logging.getLogger(__name__)

Add = Callable[[float], None]
Read = Callable[[], Iterable[Family]]


class _Meters:
    """The counters and histograms of the table. They begin where they are: at nothing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._meters = {
            each.name: _meter(each, self.registry) for each in TABLE if each.kind is not Kind.GAUGE
        }
        self._adds: dict[str, dict[tuple[str, ...], Add]] = {name: {} for name in self._meters}
        self.is_silent = False

    def add(self, metric: Metric, values: tuple[str, ...], amount: float) -> None:
        adds = self._adds[metric.name]
        add = adds.get(values)
        if add is None:
            if len(adds) >= MOST_SERIES:
                values = (OTHER,) * len(values)
            add = adds[values] = self._add_of(metric, values)
        add(amount)

    def _add_of(self, metric: Metric, values: tuple[str, ...]) -> Add:
        meter = self._meters[metric.name]
        if isinstance(meter, Histogram):
            return meter.labels(*values).observe
        return meter.labels(*values).inc


def _meter(metric: Metric, registry: CollectorRegistry) -> Counter | Histogram:
    if metric.kind is Kind.HISTOGRAM:
        return Histogram(
            metric.name, metric.help, metric.labels, registry=registry, buckets=SECONDS
        )
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


# One lock for all, held over a fork: the locks of prometheus_client, which are only taken below
# it, would stay locked for ever in a child that was forked while another thread counted.
_lock = Lock()
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)
_meters = _Meters()


def record_published(destination: str, count: int) -> None:
    _add(table.PUBLISHED, (destination,), count)


def record_publish_failures(destination: str, count: int) -> None:
    _add(table.PUBLISH_FAILURES, (destination,), count)


def record_received(consumer: str, count: int) -> None:
    _add(table.RECEIVED, (consumer,), count)


def record_delivery(channel: str, state: str, count: int = 1) -> None:
    """So many deliveries came into the state."""
    _add(table.DELIVERIES, (channel, str(state)), count)


def record_handled(consumer: str, outcome: str) -> None:
    _add(table.HANDLED, (consumer, outcome), 1)


def record_retry(consumer: str) -> None:
    _add(table.RETRIES, (consumer,), 1)


def record_dead_letter(consumer: str, reason: str) -> None:
    known = reason if reason in table.REASONS else "permanent"
    _add(table.DEAD_LETTERS, (consumer, known), 1)


def record_task(consumer: str, seconds: float) -> None:
    _add(table.TASK_SECONDS, (consumer,), seconds)


def record_provider(channel: str, provider: str, seconds: float) -> None:
    _add(table.PROVIDER_SECONDS, (channel, provider), seconds)


def samples() -> dict[str, list[Sample]]:
    """What was counted, by the name of the metric, as prometheus_client has it."""
    found: dict[str, list[Sample]] = {}
    names = {each.family: each.name for each in TABLE}
    for family in _read():
        if family.name in names:
            kept = [each for each in family.samples if not each.name.endswith("_created")]
            found[names[family.name]] = kept
    return found


def start_anew(read: Read | None = None) -> None:
    """Count from nothing: a process that begins, and tests. read: where it is found, if elsewhere
    than in this process."""
    global _meters, _read
    with _lock:
        _meters = _Meters()
        _read = read or _meters.registry.collect


_read: Read = _meters.registry.collect


def _add(metric: Metric, values: tuple[str, ...], amount: float) -> None:
    meters = _meters
    try:
        with _lock:
            meters.add(metric, values, amount)
    except SoftTimeLimitExceeded:
        raise  # of the task in whose middle we count
    except Exception:
        if not meters.is_silent:  # a full disk, say: once is enough
            meters.is_silent = True
            logger.exception("%s is not counted", metric.name)
