"""What goes wrong, when: an ordered list of faults, asked once per request, seeded."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal["error", "throttle", "partial", "repeat", "hang", "hang_up", "slow", "trickle"]
When = Literal["before", "after"]

PER_ENTRY = frozenset({"partial", "repeat"})
"""The kinds that strike single entries of a batch."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    kind: `error` answers with `status` and `code`; `throttle` is the error that AWS gives
        for too many requests; `partial` fails single entries of SendMessageBatch,
        DeleteMessageBatch, ChangeMessageVisibilityBatch and PublishBatch with `code`;
        `repeat` hands single entries of them on once more, up to `seconds` later, so that they
        are doubled and overtaken by what came after them;
        `hang` never answers and keeps the connection open; `hang_up` closes it without an
        answer; `slow` answers `seconds` later; `trickle` answers byte by byte, the last one
        `seconds` later, so that no read timeout notices.
    when: `before` the emulator has seen the request, or `after` it has done what was asked
        (the lost answer).
    actions: the AWS actions it strikes; none named means all.
    containing: a text that the request's body must hold, such as a queue's name.
    probability: per request, for `partial` and `repeat` per entry.
    times: how often it strikes before it is spent (for these two, entries); None is always.
    """

    kind: Kind
    when: When = "before"
    actions: tuple[str, ...] = ()
    containing: str = ""
    probability: float = 1.0
    times: int | None = None
    status: int = 503
    code: str = "ServiceUnavailable"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r}: one of {', '.join(get_args(Kind))}")
        if self.when not in get_args(When):
            raise ValueError(f"when {self.when!r}: one of {', '.join(get_args(When))}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability {self.probability!r}: a number from 0 to 1")

    def concerns(self, action: str, body: bytes) -> bool:
        return (not self.actions or action in self.actions) and self.containing.encode() in body

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Fault:
        """Raises ValueError or TypeError naming what is wrong."""
        return cls(**{**values, "actions": tuple(values.get("actions", ()))})


@dataclass
class _Armed:
    """A fault in force, and how often it may still strike."""

    fault: Fault
    left: float


class Script:
    """The faults in force. The first that strikes wins; equal seeds throw equal dice."""

    def __init__(self, seed: int = 0) -> None:
        self.reset(seed)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(armed.fault for armed in self._armed)

    def reset(self, seed: int) -> None:
        """Forget every fault and every strike, and start the dice anew."""
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._armed: list[_Armed] = []
        self.struck: Counter[str] = Counter()

    def clear(self) -> None:
        """Disarm every fault; what struck so far stays counted."""
        self._armed = []

    def add(self, fault: Fault) -> None:
        self._armed.append(_Armed(fault, float("inf") if fault.times is None else fault.times))

    def strike(self, action: str, body: bytes) -> Fault | None:
        """The fault that this request meets as a whole."""
        for armed in self._concerned(action, body):
            if armed.fault.kind not in PER_ENTRY and self._hits(armed):
                return armed.fault
        return None

    def strike_entries(
        self, kind: Kind, action: str, body: bytes, ids: Callable[[], Sequence[str]]
    ) -> tuple[Fault, frozenset[str]] | None:
        """The first fault of this kind that meets any of this batch's entries, and which."""
        for armed in self._concerned(action, body):
            if armed.fault.kind == kind:
                struck = frozenset(entry for entry in ids() if self._hits(armed))
                if struck:
                    return armed.fault, struck
        return None

    def within(self, seconds: float) -> float:
        """A moment from now until then."""
        return self._random.uniform(0.0, seconds)

    def _concerned(self, action: str, body: bytes) -> Iterator[_Armed]:
        return (armed for armed in self._armed if armed.fault.concerns(action, body))

    def _hits(self, armed: _Armed) -> bool:
        if armed.left <= 0 or self._random.random() >= armed.fault.probability:
            return False
        armed.left -= 1
        self.struck[armed.fault.kind] += 1
        return True
