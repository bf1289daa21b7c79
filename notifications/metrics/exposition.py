"""Exposition: the metrics in Prometheus's text format, and who may have them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from notifications.conf import conf
from notifications.metrics import counting
from notifications.metrics.table import TABLE, Kind

_BEARER = "Bearer "


def exposition(*, fleet: bool = False) -> tuple[str, bytes]:
    """Content type and body: what this process, and those that it shares its counts with, have
    counted. fleet: with the gauges of the whole fleet, for which SQS and the database are asked
    for some seconds at most. Never raises."""
    return CONTENT_TYPE_LATEST, generate_latest(_Collector(fleet=fleet))


def may_have(authorization: str) -> bool:
    """Whether the header's value holds METRICS_TOKEN. Nobody's does where there is none."""
    token = conf().metrics_token
    given = authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) else ""
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


class _Collector(Collector):
    """Each metric of the table, also while there is nothing to tell of it."""

    def __init__(self, *, fleet: bool) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Family]:
        counted = counting.samples()
        for metric in TABLE:
            if metric.kind is not Kind.GAUGE:
                family = Family(metric.family, metric.help, metric.kind)
                family.samples = counted.get(metric.name, [])
                yield family
        if self._fleet:
            yield from _gauges()


def _gauges() -> Iterable[Family]:
    from notifications.metrics import fleet  # it needs the models, which need to count

    readings = fleet.look()
    for metric in TABLE:
        if metric.kind is Kind.GAUGE:
            family = Family(metric.name, metric.help, metric.kind)
            for reading in readings:
                if reading.metric is metric:
                    family.add_sample(metric.name, reading.labelled, reading.value)
            yield family
