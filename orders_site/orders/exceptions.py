"""What the shop refuses, and why."""

from __future__ import annotations

from collections.abc import Iterable


class OrderError(Exception):
    """The root of the shop's own errors; the text is fit for the person who asked."""


class OrderRefused(OrderError, ValueError):
    """What was asked for is not possible: the text names the field and the bound."""


class IllegalTransition(OrderError):
    """The order is in a state that does not allow this."""

    def __init__(self, order_id: int, state: str, wanted: str, allowed: Iterable[str]) -> None:
        self.order_id = order_id
        self.state = state
        self.wanted = wanted
        self.allowed = tuple(sorted(allowed))
        super().__init__(order_id, state, wanted, self.allowed)

    def __str__(self) -> str:
        open_ways = f"it can be {' or '.join(self.allowed)}" if self.allowed else "that is final"
        return f"Order {self.order_id} is {self.state} and cannot be {self.wanted}: {open_ways}."
