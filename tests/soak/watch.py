"""The watch: looks at everything every ten seconds, from outside."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta

from tests.chaos.house import House
from tests.soak import database, processes
from tests.soak.kinds import Kind

EVERY = 10.0
RECENT = timedelta(minutes=1)
"""Of which the lag is told."""

Series = Mapping[tuple[Kind, str], list[tuple[float, float]]]
"""(kind, whose) → (seconds, value) in order."""


class Watch:
    """A context manager: it looks from a thread of its own until it is left. A look that fails
    ends the watch, and is raised then."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._series: defaultdict[tuple[Kind, str], list[tuple[float, float]]] = defaultdict(list)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Watch:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    @property
    def series(self) -> Series:
        return self._series

    def _look_on(self) -> None:
        from django.db import connection

        try:
            number = 0
            while not self._over.wait(max(0.0, self._began + number * EVERY - time.monotonic())):
                number += 1
                at = time.monotonic() - self._began
                for kind, whose, value in self._figures():
                    self._series[kind, whose].append((at, value))
        except BaseException as failure:  # noqa: BLE001 - raised by whoever waits for us
            self._failure = failure
        finally:
            connection.close()

    def _figures(self) -> Iterator[tuple[Kind, str, float]]:
        from notifications import consumers, pace
        from notifications.models import Dispatch
        from orders_site.demo.underway import messages_under_way

        for name, pid in self._house.pids().items():
            for kind, value in processes.held(pid):
                yield kind, name, value
        yield from database.figures()
        yield Kind.UNDER_WAY, "all queues", messages_under_way()
        waiting = Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).count()
        yield Kind.UNPUBLISHED, "the outbox", waiting
        for consumer, lag in pace.lags(consumers.all_consumers(), RECENT).items():
            if lag.p50 is not None and lag.p95 is not None:
                yield Kind.MEDIAN_LAG, consumer, lag.p50
                yield Kind.LAG, consumer, lag.p95
