"""Was anything lost or done twice? What the providers accepted, against what was called for.

Nothing here looks at how it came about: it is told what was called for (`tests.chaos.duties`),
what the sandbox accepted, and what stands in the operators' tables.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from orders_site.demo.manifest import Call

POLICY = frozenset({"email"})
"""The channels that send again what may have been sent, and so may send it twice."""
TOLD = frozenset({"sent", "delivered", "bounced", "complained"})


@dataclass(frozen=True)
class Taken:
    """What a provider accepted: the call that it answers, and the attempt that it came with."""

    call: Call
    tag: str

    @property
    def duty(self) -> str:
        """The delivery and generation that it belongs to."""
        return self.tag.rpartition(".")[0]

    @property
    def number(self) -> int:
        return int(self.tag.rpartition(".")[2] or 0)


@dataclass(frozen=True)
class Told:
    """A delivery, as the operators see it."""

    id: UUID
    call: Call
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """What is judged.

    required, optional: the calls that must be, and that may be answered.
    unknown: the tags of attempts of which nobody knew whether they had been sent.
    buried: (event type, subject, channel) of each dead letter.
    silent: whether the provider says nothing later of what it took for this call.
    """

    required: Collection[Call]
    optional: Collection[Call]
    taken: Sequence[Taken]
    told: Sequence[Told]
    unknown: Collection[str]
    buried: Collection[tuple[str, str, str]]
    silent: Callable[[Call], bool]


@dataclass
class Tally:
    """One channel. Each of lost, doubled and uncalled must stay empty.

    accepted: messages, doubled ones too. doubled_by_policy: accepted once more because nobody
    knew of the attempt before. unknown: of them `withheld`, which the provider has and says
    nothing of; it never had the rest.
    """

    called_for: int = 0
    accepted: int = 0
    lost: list[Call] = field(default_factory=list)
    doubled: list[Call] = field(default_factory=list)
    uncalled: list[Call] = field(default_factory=list)
    doubled_by_policy: int = 0
    unknown: int = 0
    withheld: int = 0
    dead_lettered: int = 0


def judge(evidence: Evidence) -> tuple[dict[str, Tally], list[str]]:
    """A tally for each channel, and what is wrong besides, in words."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    accepted = _by_call(evidence.taken)
    told = {row.call: row for row in evidence.told}
    for call in sorted(evidence.required):
        tally = tallies[call.channel]
        tally.called_for += 1
        if call not in accepted and not _accounted_for(call, told.get(call), evidence):
            tally.lost.append(call)
    for call, messages in sorted(accepted.items()):
        tally = tallies[call.channel]
        tally.accepted += len(messages)
        if call not in evidence.required and call not in evidence.optional:
            tally.uncalled.append(call)
        by_policy = sum(_by_policy(pair, evidence.unknown) for pair in _pairs(messages))
        tally.doubled_by_policy += by_policy
        tally.doubled += [call] * (len(messages) - 1 - by_policy)
    for row in evidence.told:
        if row.state == "unknown":
            tallies[row.call.channel].unknown += 1
            tallies[row.call.channel].withheld += row.call in accepted
    for channel, letters in _letters(evidence).items():
        tallies[channel].dead_lettered = letters
    return dict(sorted(tallies.items())), list(_untrue(evidence, accepted))


def _by_call(taken: Iterable[Taken]) -> dict[Call, list[Taken]]:
    found: dict[Call, list[Taken]] = defaultdict(list)
    for each in taken:
        found[each.call].append(each)
    for messages in found.values():
        messages.sort(key=lambda each: (each.duty, each.number))
    return found


def _accounted_for(call: Call, row: Told | None, evidence: Evidence) -> bool:
    """Not accepted, and an operator sees it: nobody knows, or it was given up on."""
    if row is not None and row.state in ("unknown", "failed"):
        return True
    return (call.event_type, call.subject, call.channel) in evidence.buried


def _pairs(messages: Sequence[Taken]) -> Iterator[tuple[Taken, Taken]]:
    return itertools.pairwise(messages)


def _by_policy(pair: tuple[Taken, Taken], unknown: Collection[str]) -> bool:
    """Whether the second was sent because nobody knew of the first, and the channel says so."""
    first, second = pair
    return (
        first.call.channel in POLICY
        and first.duty == second.duty
        and first.number < second.number
        and first.tag in unknown
    )


def _letters(evidence: Evidence) -> Mapping[str, int]:
    letters: dict[str, int] = defaultdict(int)
    for _, _, channel in evidence.buried:
        letters[channel] += 1
    return letters


def _untrue(evidence: Evidence, accepted: Collection[Call]) -> Iterator[str]:
    """Rows that say what is not so, or less than could be known."""
    for row in evidence.told:
        name, silent = f"delivery {row.id} ({row.call.channel})", evidence.silent(row.call)
        letter = (row.call.event_type, row.call.subject, row.call.channel)
        if row.state in TOLD and row.call not in accepted:
            yield f"{name} is {row.state}, and its provider never had it"
        elif row.state in ("skipped", "failed") and row.call in accepted and not silent:
            yield f"{name} is {row.state} ({row.reason}), and its provider has it"
        elif row.state == "unknown" and row.call in accepted and not silent:
            yield f"{name} is unknown, although its provider said what became of it"
        elif row.state == "failed" and letter not in evidence.buried:
            yield f"{name} failed ({row.reason}), and there is no dead letter of it"
