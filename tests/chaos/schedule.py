"""What goes wrong when: made from the seed and from nothing else, so that it can be played again.

Each kind of trouble has dice of its own: one kind more or less leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from tests.chaos.troubles import (
    BROKER,
    DECLINES,
    LOOKUPS,
    OUTAGES,
    PAYMENTS,
    REFUSALS,
    SINGLES,
    TOKEN,
    Behaviour,
    BrokerTrouble,
)


class Verb(StrEnum):
    """What is done to whom; `Step.target` says to whom."""

    KILL = "kill"
    """SIGKILL to a process of ours and to what it started; it is started again at once."""
    STOP = "stop"
    """SIGTERM; it is started again when it has ended."""
    SCRIPT = "script"
    """The provider of a channel does this with its next sends."""
    DOWN = "down"
    """The provider of a channel does this with every send from now on."""
    UP = "up"
    """It accepts again."""
    DISTURB = "disturb"
    """SNS and SQS do this with our calls from now on."""
    CALM = "calm"
    """They answer again."""
    CRASH = "crash"
    """SIGKILL to SNS and SQS, or to PostgreSQL; it comes back, with its data, `seconds` later."""
    RESTART = "restart"
    """The same, asked to end."""


@dataclass(frozen=True, order=True)
class Step:
    """at: seconds after the first order."""

    at: float
    verb: Verb
    target: str
    how: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.how.items())
        return f"{self.at:6.1f} s  {self.verb:<8} {self.target:<14} {said}".rstrip()


@dataclass(frozen=True)
class Cast:
    """Whom trouble may befall: the names of our processes, and the channels. pays: whether anybody
    has to pay, so that the payment provider is asked."""

    workers: Sequence[str]
    relays: Sequence[str]
    web: str
    channels: Sequence[str]
    pays: bool = False


BROKER_PART, DATABASE_PART = "fauxqs", "postgres"

Plan = Callable[[Random, float, Cast], Iterator[Step]]


def plan(seed: int, seconds: float, cast: Cast) -> tuple[Step, ...]:
    """Everything that goes wrong within so many seconds, in order."""
    steps: list[Step] = []
    for name, trouble in TROUBLES.items():
        steps += trouble(Random(f"{name} of {seed}"), seconds, cast)
    return tuple(sorted(steps))


def _processes(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    """Somebody dies every few seconds: three times of five without warning."""
    crew = [*cast.workers * 3, *cast.relays * 2, cast.web]
    for at in _moments(dice, seconds, shortest=seconds / 60 + 1.0, longest=seconds / 30 + 2.0):
        verb = Verb.KILL if dice.random() < 0.6 else Verb.STOP
        yield Step(at, verb, dice.choice(crew))


def _sends(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    """Single sends go wrong, in every way that a provider has, all the time."""
    for at in _moments(dice, seconds, shortest=0.2, longest=1.0):
        yield _script(dice, at, dice.choice(cast.channels), dice.choice(SINGLES))
    for channel in cast.channels:
        for third in range(3):  # the next single trouble may come before the next send
            at = seconds * (third + dice.random()) / 3
            yield _script(dice, at, channel, REFUSALS[channel])
    yield _script(dice, dice.uniform(0, seconds), TOKEN, Behaviour("server_error"))


def _payments(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    """The payment provider fails as the others do, declines cards, and is away twice."""
    if not cast.pays:
        return
    for at in _moments(dice, seconds, shortest=0.5, longest=2.5):
        asked = dice.choice((PAYMENTS, PAYMENTS, LOOKUPS))
        yield _script(dice, at, asked, dice.choice(SINGLES))
    for at in _moments(dice, seconds, shortest=2.0, longest=6.0):
        yield _script(dice, at, PAYMENTS, dice.choice(DECLINES))
    yield from _away(dice, seconds, PAYMENTS)
    yield from _away(dice, seconds, LOOKUPS)


def _outages(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    """Each channel's provider is away twice for a while."""
    for channel in cast.channels:
        yield from _away(dice, seconds, channel)


def _away(dice: Random, seconds: float, provider: str) -> Iterator[Step]:
    for half in (0.0, seconds / 2):
        begin = half + dice.uniform(0.0, seconds / 4)
        end = begin + dice.uniform(seconds / 40, seconds / 15)
        away = dice.choice(OUTAGES)
        yield Step(_rounded(begin), Verb.DOWN, provider, away.words)
        yield Step(_rounded(end), Verb.UP, provider)


def _broker(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    """SNS and SQS fail, throttle, hang and hang up, a few seconds of every ten or so."""
    end = 0.0
    while True:
        begin = end + dice.uniform(1.5, 6.0)
        end = begin + dice.uniform(1.0, 3.0)
        if end > seconds:
            return
        trouble: BrokerTrouble = dice.choice(BROKER)
        yield Step(_rounded(begin), Verb.DISTURB, trouble.name, trouble.words)
        yield Step(_rounded(end), Verb.CALM, trouble.name)


def _broker_restarts(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    yield from _restarts(dice, seconds, BROKER_PART, first=0.30)


def _database_restarts(dice: Random, seconds: float, cast: Cast) -> Iterator[Step]:
    yield from _restarts(dice, seconds, DATABASE_PART, first=0.15)


def _restarts(dice: Random, seconds: float, part: str, *, first: float) -> Iterator[Step]:
    """Once each way; which comes first is thrown."""
    verbs = [Verb.CRASH, Verb.RESTART]
    dice.shuffle(verbs)
    for verb, share in zip(verbs, (first, first + 0.45), strict=True):
        at = seconds * (share + dice.uniform(0.0, 0.15))
        yield Step(_rounded(at), verb, part, {"seconds": _rounded(dice.uniform(0.5, 2.5))})


TROUBLES: Mapping[str, Plan] = {
    "processes": _processes,
    "sends": _sends,
    "outages": _outages,
    "payments": _payments,
    "broker": _broker,
    "broker restarts": _broker_restarts,
    "database restarts": _database_restarts,
}


def _moments(dice: Random, seconds: float, *, shortest: float, longest: float) -> Iterator[float]:
    at = dice.uniform(0.0, longest)
    while at < seconds:
        yield _rounded(at)
        at += dice.uniform(shortest, longest)


def _script(dice: Random, at: float, channel: str, behaviour: Behaviour) -> Step:
    times = dice.randint(1, behaviour.most)
    return Step(_rounded(at), Verb.SCRIPT, channel, {**behaviour.words, "times": times})


def _rounded(value: float) -> float:
    return round(value, 1)
