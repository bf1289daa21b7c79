"""Budget: how much one rendering of an edited template may do. Counted, not timed: a template
that has passed where it is published passes on the slowest machine too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

from django.utils.translation import gettext

MOST_STEPS = 20_000
"""Variables, conditions, turns of a loop and included templates, each time they are met."""

MOST_CHARACTERS = 1_000_000
"""Characters written and handled, all together; an email of 100 KB is clipped by mail programs."""

LONGEST_VALUE = 100_000
"""Characters of what one variable with its filters may become."""


class OverBudget(Exception):
    """The template does more than it may."""


class Budget:
    """What is left of it. Once it is used up it stays so, whoever has swallowed the error."""

    def __init__(self) -> None:
        self._steps, self._characters = MOST_STEPS, MOST_CHARACTERS

    def spend(self, *, characters: int = 0) -> None:
        """One step, and so many characters. Raises OverBudget."""
        self._steps -= 1
        self._characters -= characters
        if self._steps < 0:
            raise OverBudget(gettext("it takes more than %(most)s steps") % {"most": MOST_STEPS})
        if self._characters < 0:
            raise OverBudget(
                gettext("it handles more than %(most)s characters") % {"most": MOST_CHARACTERS}
            )

    def exhaust(self, why: str) -> NoReturn:
        """It has gone too far in one go. Raises OverBudget, and would again."""
        self._characters = -1
        raise OverBudget(why)


_current: ContextVar[Budget] = ContextVar("notifications.templating.budget")


@contextmanager
def budgeted() -> Iterator[None]:
    """A fresh budget for what is rendered within."""
    token = _current.set(Budget())
    try:
        yield
    finally:
        _current.reset(token)


def exhaust(why: str) -> NoReturn:
    _current.get().exhaust(why)


def spend(*, characters: int = 0) -> None:
    _current.get().spend(characters=characters)
