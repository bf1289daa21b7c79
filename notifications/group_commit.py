"""Group commit: what many threads want written at the same time is one statement.

Whoever comes first writes, for all that are waiting. While that statement runs, others
gather; then the first of them writes for all of them. So nobody waits for company: alone, a
call is written at once, and the busier a process is, the less each of its rows costs.

The idea is a database's own (DeWitt and others, "Implementation Techniques for Main Memory
Database Systems", SIGMOD 1984); the lead is handed on as LevelDB's writers do it
(`DBImpl::Write`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from django.db import connections

MOST = 100
"""Items in one statement."""

PATIENCE = 1.0
"""Seconds for which a call waits for its turn. The statement before it may stand still before
a row that somebody has locked: that is no affair of the others, who then write for themselves."""

logger = logging.getLogger(__name__)

Item_contra = TypeVar("Item_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Statement(Protocol[Item_contra, Answer_co]):
    """Writes every item in one statement on the database `using`, or none of them.

    The answers go by the items' keys. In company it may leave an item out: that one comes
    again, alone. Alone, an item is answered or raises.
    """

    def __call__(
        self, items: Sequence[Item_contra], /, *, using: str
    ) -> Mapping[Hashable, Answer_co]: ...


class Key(Protocol[Item_contra]):
    """What an item is about. Two of one key never meet in a statement."""

    def __call__(self, item: Item_contra, /) -> Hashable: ...


class GroupCommit(Generic[Item, Answer]):
    """One kind of write, made by many threads of this process. Made once, at import.

    most: items in one statement; 1 lets every thread write for itself.
    """

    def __init__(
        self, statement: Statement[Item, Answer], *, key: Key[Item], most: int = MOST
    ) -> None:
        self.most = most
        self._statement = statement
        self._key = key
        self._lines: dict[str, _Line[Item, Answer]] = {}
        # A forked child must not wait for a thread that only its parent has.
        os.register_at_fork(after_in_child=self._lines.clear)

    def write(self, item: Item, *, using: str) -> Answer:
        """Write `item`, in company if there is any. Returns its answer or raises its own error.

        Within the caller's transaction it is written there and then, by the caller alone.
        """
        if self.most == 1 or connections[using].in_atomic_block:
            return self._alone(item, using)
        call: _Call[Item, Answer] = _Call(item, self._key(item))
        line = self._lines.setdefault(using, _Line())
        line.join(call)
        if call.leads:
            try:
                group = line.take_with(call, self.most)
                if len(group) == 1:
                    return self._alone(item, using)
                self._together(group, using)
            finally:
                line.hand_on()
        if call.key in call.answers:
            return call.answers[call.key]
        return self._alone(item, using)

    def _alone(self, item: Item, using: str) -> Answer:
        return self._statement([item], using=using)[self._key(item)]

    def _together(self, group: Sequence[_Call[Item, Answer]], using: str) -> None:
        answers: Mapping[Hashable, Answer] = {}
        try:
            answers = self._statement([call.item for call in group], using=using)
        except Exception as error:  # noqa: BLE001 - alone, each meets what is its own of it
            logger.warning(
                "%d writes at once failed (%s): each is tried alone",
                len(group),
                type(error).__name__,
            )
            connections[using].close_if_unusable_or_obsolete()
        finally:
            for call in group:
                call.answers = answers
                call.woken.set()


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Answer]):
    """One thread's wish. `woken` when its group has been written, or when it `leads` the next."""

    item: Item
    key: Hashable
    leads: bool = False
    answers: Mapping[Hashable, Answer] = field(default_factory=dict)
    woken: threading.Event = field(default_factory=threading.Event)


class _Line(Generic[Item, Answer]):
    """The calls for one database: one leads and writes, the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Call[Item, Answer]] = []
        self._led = False

    def join(self, call: _Call[Item, Answer]) -> None:
        """Returns when the call leads, has its answer, or has waited for too long."""
        with self._lock:
            if not self._led:
                self._led = call.leads = True
                return
            self._waiting.append(call)
        if not call.woken.wait(PATIENCE) and not self._leave(call):
            call.woken.wait()  # its group is being written: what became of it must be known

    def take_with(self, first: _Call[Item, Answer], most: int) -> list[_Call[Item, Answer]]:
        """Those who are waiting, one of each key, behind the one who leads."""
        group, left = {first.key: first}, []
        with self._lock:
            for call in self._waiting:
                if len(group) < most and call.key not in group:
                    group[call.key] = call
                else:
                    left.append(call)
            self._waiting = left
        return list(group.values())

    def hand_on(self) -> None:
        """Let the next one lead, if anybody is waiting."""
        with self._lock:
            self._led = bool(self._waiting)
            if self._led:
                successor = self._waiting.pop(0)
                successor.leads = True
                successor.woken.set()

    def _leave(self, call: _Call[Item, Answer]) -> bool:
        with self._lock:
            if call not in self._waiting:
                return False
            self._waiting.remove(call)
            return True
