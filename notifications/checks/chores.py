"""System check of the chores: the relay would say what is wrong, but only once it runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications.chores import Chore, all_chores


def check_chores() -> Iterator[CheckMessage]:
    """Each can be called as the relay calls it, and is given time to pass in between."""
    for chore in all_chores():
        for problem in _problems(chore):
            yield Error(
                f"The chore {chore.name!r} {problem}.",
                hint="Register it as notifications.chores says: a number of seconds, and a "
                "run(*, using, go_on) -> int.",
                id="notifications.E021",
            )


def _problems(chore: Chore) -> Iterator[str]:
    if not chore.name.strip():
        yield "has no name"
    if isinstance(chore.every, bool) or not isinstance(chore.every, int | float):
        yield f"is due every {chore.every!r}, which is no number of seconds"
    elif not chore.every > 0:
        yield f"is due every {chore.every:g} s: it would never rest"
    try:
        inspect.signature(chore.run).bind(using="default", go_on=bool)
    except (TypeError, ValueError) as error:
        yield f"cannot be run with using=… and go_on=…: {error}"
