"""Plays a schedule: each step at its moment, on the processes, the parts and the providers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from tests.chaos.ground import Ground
from tests.chaos.house import House
from tests.chaos.schedule import Step, Verb
from tests.chaos.troubles import ALWAYS

TICK = 0.05
Tell = Callable[[str], None]


class Stage:
    """`play()` until the end of the schedule, then `calm()`."""

    def __init__(self, ground: Ground, house: House, *, tell: Tell = lambda line: None) -> None:
        self._ground = ground
        self._house = house
        self._tell = tell
        self._revivals: list[Future[None]] = []
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._down: set[str] = set()
        self.troubles = 0

    def play(self, steps: Sequence[Step], *, until: Callable[[float], bool]) -> None:
        """Every step, then on until `until(seconds since the beginning)` holds."""
        self._calm_broker()
        self._began = time.monotonic()
        waiting = list(steps)
        with ThreadPoolExecutor(4, "revival") as self._pool:
            while waiting or not until(self.seconds):
                while waiting and waiting[0].at <= self.seconds:
                    self._do(waiting.pop(0))
                self._house.watch()
                time.sleep(TICK)
        for revival in self._revivals:
            revival.result()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def calm(self, channels: Sequence[str]) -> None:
        """No trouble any more, nor what was scripted and has not come to pass."""
        self._ground.proxy.clear()
        for channel in channels:
            self._ground.sandbox.forget_script(channel)

    def _do(self, step: Step) -> None:
        self._tell(str(step))
        how: dict[str, Any] = dict(step.how)
        self.troubles += step.verb not in (Verb.UP, Verb.CALM)
        match step.verb:
            case Verb.KILL:
                self._house.kill(step.target)
            case Verb.STOP:
                self._house.stop(step.target)
            case Verb.SCRIPT:
                self._script(step.target, how)
            case Verb.DOWN:
                self._down.add(step.target)
                self._ground.sandbox.script(step.target, how.pop("behaviour"), **how)
            case Verb.UP:
                self._down.discard(step.target)
                self._ground.sandbox.forget_script(step.target)
            case Verb.DISTURB:
                self._ground.proxy.fault(**how)
            case Verb.CALM:
                self._calm_broker()
            case Verb.CRASH | Verb.RESTART:
                self._revivals.append(self._pool.submit(self._take_away, step))

    def _script(self, channel: str, how: dict[str, Any]) -> None:
        """In place of what was scripted before and has not come to pass: while a channel rests
        nothing would, and of all of it together a breaker's probes would be told for minutes."""
        if channel not in self._down:
            self._ground.sandbox.forget_script(channel)
            self._ground.sandbox.script(channel, how.pop("behaviour"), **how)

    def _calm_broker(self) -> None:
        self._ground.proxy.clear()
        for fault in ALWAYS:
            self._ground.proxy.fault(**fault)

    def _take_away(self, step: Step) -> None:
        """In a thread of its own. A part that is still coming back is waited for."""
        with self._locks[step.target]:
            part = self._ground.part(step.target)
            if step.verb is Verb.CRASH:
                part.kill()
            else:
                part.stop()
            time.sleep(step.how["seconds"])
            part.start()
