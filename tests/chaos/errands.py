"""What people want of the web process, over HTTP, and try again when it does not answer."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import count
from typing import Any

import httpx

AT_ONCE = 4
"""People who are at it at the same time."""
PATIENCE, PAUSE = 5.0, 0.2
"""Seconds: for an answer; until the next try."""


class Errands(ABC):
    """So many errands, evenly over so many seconds; later, if the shop is away meanwhile.

    What was asked for may be done although its answer did not come. So what is called for is
    read from the shop's own tables in the end, and `acknowledged` is what these must hold.
    """

    def __init__(self, url: str, *, errands: int, seconds: float) -> None:
        self._http = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)
        self._errands = errands
        self._gap = seconds / errands
        self._numbers = count()
        self._given_up = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"errands-{number}", daemon=True)
            for number in range(AT_ONCE)
        ]
        self._errors: list[BaseException] = []
        self.acknowledged: list[tuple[str, int]] = []
        """(what, of which order or customer) of everything that the shop said it had done."""

    @abstractmethod
    def run(self, number: int) -> None:
        """The errand of that number, by `ask`."""

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether every errand is. Raises what went wrong on our side."""
        if self._errors:
            raise self._errors[0]
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        self._given_up.set()
        for thread in self._threads:
            thread.join()
        self._http.close()

    def ask(self, path: str, **asked: Any) -> Mapping[str, Any] | None:
        """The answer, however often it has to be asked for; None when it was given up.

        A 409 says that it was done by an earlier try, whose answer was lost.
        """
        while not self._given_up.is_set():
            try:
                answer = self._http.post(path, json=asked)
            except httpx.HTTPError:
                pass  # the web process is away, or died over it
            else:
                if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
                    said: Mapping[str, Any] = answer.json()
                    return said
                if answer.is_client_error:
                    raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
            self._given_up.wait(PAUSE)
        return None

    def _work(self) -> None:
        try:
            while (number := next(self._numbers)) < self._errands:
                due = self._began + number * self._gap
                if self._given_up.wait(max(0.0, due - time.monotonic())):
                    return
                self.run(number)
        except BaseException as error:  # noqa: BLE001 - raised by `done`
            self._errors.append(error)
