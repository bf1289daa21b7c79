"""Chores: what a shop has done now and then, by the relays' housekeeping.

    register(Chore("rolling up figures", every=60, run=roll_up))

    def roll_up(*, using: str, go_on: Callable[[], bool]) -> int: ...

In a `chores.py` of any installed app. A shop's chores share one thread with the keeping of dead
letters, and every relay has them: so one works in short steps, each a transaction that
another relay may make at the same time (`SKIP LOCKED`, `notifications.advisory`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Chore:
    """`run(using=…, go_on=…)` does it, step by step, and says how much was done.

    It asks `go_on` before each step, which may take its time to answer, and stops at once when
    that says no. An error is said in the log, and the chore tried again when it is due.

    name: what the log says of it ("rolling up figures"). every: seconds, from end to beginning.
    using: the alias of the database in which `notifications` keeps its rows.
    """

    name: str
    every: float
    run: Callable[..., int]


_registry: dict[str, Chore] = {}


def register(chore: Chore) -> Chore:
    """Add a chore. One name for two is a configuration error."""
    known = _registry.get(chore.name)
    if known is not None and known.run != chore.run:
        raise ImproperlyConfigured(
            f"Chore {chore.name!r} is registered twice: for {_path(known)} and {_path(chore)}."
        )
    _registry[chore.name] = chore
    return chore


def unregister(name: str) -> None:
    """Forget a chore (tests; a shop that does without)."""
    _registry.pop(name, None)


def all_chores() -> tuple[Chore, ...]:
    """Every registered chore, in order of registration."""
    return tuple(_registry.values())


def _path(chore: Chore) -> str:
    return f"{chore.run.__module__}.{chore.run.__qualname__}"
