"""Bulkhead: a consumer whose provider hangs takes no more than half of a pool that it shares.

Not even while the others have nothing to do: what it had borrowed when its provider began to
hang, it would keep. A worker that needs more for one channel has a larger pool, or that channel
alone. Named for a ship's, which keep one leak from sinking it: Michael Nygard, "Release It!"
(2007).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from notifications.worker.received import Received

Waiting = OrderedDict[str, Received]

NO_END = 10**9


@dataclass(slots=True)
class _Share:
    """One consumer's messages, by their handles: those with the pool and those that wait."""

    out: set[str] = field(default_factory=set)
    fresh: Waiting = field(default_factory=OrderedDict)
    bulk: Waiting = field(default_factory=OrderedDict)

    def next(self) -> Received:
        """The one that has waited longest, fresh before bulk. Raises KeyError when none waits."""
        waiting = self.fresh or self.bulk
        return waiting.popitem(last=False)[1]


class Bulkhead:
    """deliver: hands messages on to the pool; called in whichever thread brought or settled one.
    places: how many tasks the pool runs at once, now; None is a pool that is not known.

    What waits here is held and has not begun. While one consumer is watched, nothing waits.
    """

    def __init__(
        self,
        deliver: Callable[[list[Received]], None],
        places: Callable[[], int] | None = None,
    ) -> None:
        self._deliver = deliver
        self._places = places
        self._lock = threading.Lock()
        self._shares: dict[str, _Share] = {}

    def watch(self, consumer: str) -> None:
        """It shares the pool from now on, until the process ends."""
        with self._lock:
            self._shares.setdefault(consumer, _Share())

    def put(self, consumer: str, messages: list[Received]) -> None:
        """Deliver messages of this consumer, as many as it has room for, and the rest later."""
        with self._lock:
            share = self._shares[consumer]
            if len(self._shares) == 1:
                ready = messages
                share.out.update(message.handle for message in messages)
            else:
                for message in messages:
                    (share.bulk if message.queue.bulk else share.fresh)[message.handle] = message
                ready = self._admit(share)
        if ready:
            self._deliver(ready)

    def gone(self, received: Received) -> None:
        """It is settled or given back, begun or not: there is room for the next.

        Nothing to do for one that was never put.
        """
        with self._lock:
            share = self._shares.get(received.queue.consumer)
            if share is None:
                return
            if received.handle in share.out:
                share.out.remove(received.handle)
            else:
                share.fresh.pop(received.handle, None)
                share.bulk.pop(received.handle, None)
            ready = self._admit(share) if share.fresh or share.bulk else None
        if ready:
            self._deliver(ready)

    def _admit(self, share: _Share) -> list[Received]:
        waiting = len(share.fresh) + len(share.bulk)
        ready = [share.next() for _ in range(min(waiting, self._room() - len(share.out)))]
        share.out.update(message.handle for message in ready)
        return ready

    def _room(self) -> int:
        """Messages of one consumer that may be with the pool at once."""
        if self._places is None or len(self._shares) < 2:
            return NO_END
        return max(1, self._places() // 2)
