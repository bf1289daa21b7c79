"""Customers who order over HTTP, and try again when the shop does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import httpx

SHIPPED, CANCELLED = 0.6, 0.1
"""The shares of orders that are shipped, and that are cancelled, right after they were placed."""
AT_ONCE = 4
"""Customers who are at it at the same time."""
PATIENCE, PAUSE = 5.0, 0.2
"""Seconds: for an answer; until the next try."""


@dataclass(frozen=True)
class Shopper:
    """One customer: id, and the ids of what is offered to them."""

    customer: int
    offer: Sequence[int]


class Shoppers:
    """So many orders, evenly over so many seconds; later, if the shop is away meanwhile.

    What becomes of the nth order is the seed's. An order whose answer did not come may have been
    placed all the same; the customer places it again, and the shop has two. So what is called
    for is read from the shop's own tables, and `acknowledged` is what these must hold.
    """

    def __init__(
        self, url: str, shoppers: Sequence[Shopper], *, orders: int, seconds: float, seed: int
    ) -> None:
        self._url = url
        self._shoppers = shoppers
        self._orders = orders
        self._gap = seconds / orders
        self._seed = seed
        self._numbers = count()
        self._given_up = threading.Event()
        self._threads = [
            threading.Thread(target=self._shop, name=f"shopper-{number}", daemon=True)
            for number in range(AT_ONCE)
        ]
        self._errors: list[BaseException] = []
        self.acknowledged: list[tuple[str, int]] = []
        """(verb, order id) of everything that the shop said it had done."""

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether all orders are placed. Raises what went wrong on our side."""
        if self._errors:
            raise self._errors[0]
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def placed(self) -> int:
        return sum(verb == "placed" for verb, _ in list(self.acknowledged))

    def stop(self) -> None:
        self._given_up.set()
        for thread in self._threads:
            thread.join()

    def _shop(self) -> None:
        try:
            with httpx.Client(base_url=self._url, timeout=PATIENCE, trust_env=False) as http:
                while (number := next(self._numbers)) < self._orders:
                    due = self._began + number * self._gap
                    if self._given_up.wait(max(0.0, due - time.monotonic())):
                        return
                    self._order(http, Random(f"order {number} of {self._seed}"))
        except BaseException as error:  # noqa: BLE001 - raised by `done`
            self._errors.append(error)

    def _order(self, http: httpx.Client, dice: Random) -> None:
        shopper = dice.choice(self._shoppers)
        products = dice.sample(list(shopper.offer), dice.choice([1, 1, 1, 2, 3]))
        placed = self._ask(http, "/checkout", customer=shopper.customer, products=products)
        if placed is None:
            return
        order = int(placed["order"])
        self.acknowledged.append(("placed", order))
        fate = dice.random()
        for verb, share in (("ship", SHIPPED), ("cancel", SHIPPED + CANCELLED)):
            if fate < share:
                if self._ask(http, f"/orders/{order}/{verb}") is not None:
                    self.acknowledged.append((verb, order))
                return

    def _ask(self, http: httpx.Client, path: str, **asked: Any) -> Mapping[str, Any] | None:
        """The answer, however often it has to be asked for; None when it was given up.

        A 409 says that it was done by an earlier try, whose answer was lost.
        """
        while not self._given_up.is_set():
            try:
                answer = http.post(path, json=asked)
            except httpx.HTTPError:
                pass
            else:
                if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
                    said: Mapping[str, Any] = answer.json()
                    return said
                if answer.is_client_error:
                    raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
            self._given_up.wait(PAUSE)
        return None
