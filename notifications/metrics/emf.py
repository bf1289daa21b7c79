"""EMF: the metrics for CloudWatch, as lines of its embedded metric format on standard output.

The CloudWatch agent, ECS's and Lambda's log drivers make metrics of them: no call to AWS, no
permission. Specification: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
It takes a number for a metric, or up to 100 of them, and one value of each label in a line; so
there is a line for each set of labels of which there is something to tell.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid5

from django.utils import timezone
from prometheus_client.samples import Sample

from notifications.conf import conf
from notifications.identifiers import NAMESPACE as IDS
from notifications.metrics import counting, table
from notifications.metrics.table import SECONDS, TABLE, Kind, Metric

EVERY = 60.0
"""Seconds between two tellings: the resolution of CloudWatch's metrics."""

LOOK_EVERY = 15.0
"""Seconds between two looks of a relay whether somebody has told of the minute."""

MOST_VALUES = 100
"""Numbers that one metric may have in one line."""

logger = logging.getLogger(__name__)

_lines = logging.getLogger("notifications.metrics.lines")
_preparing = threading.Lock()

Labels = tuple[tuple[str, str], ...]
Value = float | list[float]
Samples = Mapping[str, Iterable[Sample]]


def start() -> Emitter | None:
    """Tell what this process and its children count, each minute and when it ends; None where
    METRICS_EMF is off."""
    if not conf().metrics_emf:
        return None
    emitter = Emitter(counting.samples)
    emitter.start()
    atexit.register(emitter.stop)
    return emitter


def tell_fleet(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: the gauges of the whole fleet, which one of them tells in each minute. How
    many lines; 0 where METRICS_EMF is off."""
    if not conf().metrics_emf:
        return 0
    from notifications.metrics import fleet  # they need the models, which need to count
    from notifications.models import Seen

    minute = timezone.now().replace(second=0, microsecond=0)
    name = uuid5(IDS, f"metrics of {conf().prefix} {minute.isoformat()}")
    if not Seen.objects.using(using).first_time(name, keep=timedelta(hours=1)):
        return 0
    told = [(each.metric, each.labels, each.value) for each in fleet.look()]
    return _write(lines(told, environment=conf().prefix, at=time.time()))


class Emitter:
    """One for a process. read: what was counted so far. Counters are told by what came to them
    since the last time, histograms as well."""

    def __init__(self, read: Callable[[], Samples], *, every: float = EVERY) -> None:
        self._read, self._every = read, every
        self._told: dict[tuple[str, Labels], float] = {}
        self._owner = os.getpid()
        self._telling = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emf", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell the rest. A forked child is not asked: its parent, or nobody, tells for it."""
        if os.getpid() == self._owner and not self._ended.is_set():
            self._ended.set()
            self._tell()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._tell()

    def _tell(self) -> None:
        try:
            with self._telling:  # whoever ends waits until what is being told has been told
                _write(lines(self.news(), environment=conf().prefix, at=time.time()))
        except Exception:
            logger.exception("What this process has counted could not be told")

    def news(self) -> Iterator[tuple[Metric, tuple[str, ...], Value]]:
        """What is new since it was asked last."""
        found = self._read()
        for metric in TABLE:
            buckets: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
            for sample in found.get(metric.name, ()):
                labels = tuple(sample.labels[name] for name in metric.labels)
                if metric.kind is Kind.COUNTER:
                    if more := self._more(sample):
                        yield metric, labels, more
                elif sample.name.endswith("_bucket"):
                    buckets[labels].append((float(sample.labels["le"]), self._more(sample)))
            for labels, cumulated in buckets.items():
                if values := observed(cumulated):
                    yield metric, labels, values

    def _more(self, sample: Sample) -> float:
        key = sample.name, tuple(sorted(sample.labels.items()))
        before = self._told.get(key, 0.0)
        self._told[key] = sample.value
        if sample.value < before:  # whoever tidies TMPDIR has taken files of counts with it
            return sample.value
        return sample.value - before


def observed(cumulated: Iterable[tuple[float, float]]) -> list[float]:
    """The observations, as far as a histogram's buckets (upper bound and count up to it) tell: each
    the bound it lies below, the last bound if above. Of more than MOST_VALUES as many of each as
    leaves their shares alike, and one of each that there is: quantiles and the maximum hold, their
    number does not."""
    counts, before = [], 0.0
    for bound, count in sorted(cumulated):
        counts.append((min(bound, SECONDS[-1]), count - before))
        before = count
    room = MOST_VALUES - len(counts)
    share = min(1.0, room / before) if before else 0.0
    return [
        bound
        for bound, count in counts
        if count
        for _ in range(max(1, round(count * share) if share < 1 else int(count)))
    ][:MOST_VALUES]


def lines(
    told: Iterable[tuple[Metric, tuple[str, ...], Value]], *, environment: str, at: float
) -> list[dict[str, Any]]:
    """A document for each set of labels, with all metrics that have it. at: Unix seconds."""
    alike: dict[Labels, dict[Metric, Value]] = defaultdict(dict)
    for metric, values, value in told:
        alike[tuple(zip(metric.labels, values, strict=True))][metric] = value
    return [
        _document(dict(labels), found, environment, round(at * 1000))
        for labels, found in alike.items()
    ]


def _document(
    labels: Mapping[str, str], found: Mapping[Metric, Value], environment: str, milliseconds: int
) -> dict[str, Any]:
    dimensions = [["environment"]]
    if labels:
        dimensions.append(["environment", *labels])
    directive = {
        "Namespace": table.NAMESPACE,
        "Dimensions": dimensions,
        "Metrics": [{"Name": each.name, "Unit": each.unit.cloudwatch} for each in found],
    }
    return {
        "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]},
        "environment": environment,
        **labels,
        **{each.name: value for each, value in found.items()},
    }


def _write(documents: Iterable[Mapping[str, Any]]) -> int:
    """One line each, past every formatter and level that a project has for its logs."""
    with _preparing:
        if not _lines.handlers:  # a second one would tell everything twice
            handler = logging.StreamHandler(sys.__stdout__)
            handler.setFormatter(logging.Formatter("%(message)s"))
            _lines.addHandler(handler)
            _lines.setLevel(logging.INFO)
            _lines.propagate = False
    count = 0
    for document in documents:
        _lines.info("%s", json.dumps(document, separators=(",", ":")))
        count += 1
    return count
