"""Failover: which of a channel's several providers is handed a message, and when it is another.

| the provider that comes first for this delivery | what happens |
|---|---|
| its breaker is open | passed over; when its probe is due, this message may be it |
| has no turn soon | another that has one is asked; else who has the first |
| refuses the whole account (ProviderPaused) | its breaker opens; another is asked at once |
| refuses the message as none of its own (`elsewhere`) | another is asked at once, it never again |
| fails for now | tried again after the usual wait, by the same, unless its breaker is open then |
| … as often as is allowed | another is asked at once, with one try |
| nobody knows (OutcomeUnknown) | as the channel's policy says, and by the same, if at all |

Which comes first is drawn by weight for each delivery and generation, and stays
(`notifications.providers.ranked`): so weights hold again as soon as a probe went through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from notifications.channels.base import Message
from notifications.connection_pool import lend_connection
from notifications.duties import Duty
from notifications.exceptions import (
    Busy,
    NotificationError,
    PermanentError,
    ProviderPaused,
)
from notifications.models import Attempt
from notifications.models.claim import Claim
from notifications.providers import Provider, ranked
from notifications.unheard import unheard

LONGEST_SLEEP = 60.0
"""Seconds for which a message sleeps that only an account could take which is left alone, while
the others go on: nobody polls the less for it."""


def choose(duty: Duty, claim: Claim, message: Message) -> tuple[Duty, Message]:
    """The duty with the provider that is to be asked, whose turn it is, and the message as that one
    is handed it. Costs no statement on a first attempt, besides the turn's and the adapter's own.

    Raises Busy(seconds) when none of those that may be asked can be now.
    """
    left, now = _left(duty, claim)
    waits: list[Busy] = []
    for soon in (True, False) if len(now) > 1 else (False,):
        waits = []
        for provider in now:
            chosen = _with(duty, provider, others=len(left) > 1)
            try:
                return chosen, _wait_turn(chosen, message, soon=soon)
            except Busy as busy:
                waits.append(busy)
    raise _first_of(waits, all_of_them=len(now) == len(duty.providers))


def _wait_turn(chosen: Duty, message: Message, *, soon: bool) -> Message:
    chosen.account.check()
    suited = chosen.adapter.suited(message)
    lend_connection()
    with unheard():
        chosen.adapter.prepare()
    chosen.account.wait_turn(chosen.adapter.weight(suited), soon=soon)
    return suited


def _left(duty: Duty, claim: Claim) -> tuple[Sequence[Provider], Sequence[Provider]]:
    """Those that might take it, in order: not those that never will, nor, when all tries are used
    up, those that had one. And those of them that are asked now: only the same again after one
    of which nobody knows; an idempotency key is of use to none but it."""
    order = ranked(duty.providers, claim.idempotency_key)
    if claim.number == 1:
        return order, order
    asked = Attempt.objects.asked_in(claim)
    tried = [each for each in asked if each.outcome != Attempt.Outcome.PAUSED]
    gone = {each.provider for each in tried if each.outcome == Attempt.Outcome.PERMANENT}
    if duty.policy.exhausted_by(len(tried)):
        gone |= {each.provider for each in tried}
    left = [each for each in order if each.name not in gone]
    if tried and tried[-1].outcome == Attempt.Outcome.UNKNOWN:
        same = [each for each in left if each.name == tried[-1].provider]
        return left, same or left or order
    # None is left when all have used up the tries between them, or the settings have changed since:
    # then they are asked once more, and that is the end of it.
    return left, left or order


def _with(duty: Duty, provider: Provider, *, others: bool) -> Duty:
    return replace(
        duty,
        provider=provider.name,
        adapter=provider.adapter,
        account=duty.account.of(provider),
        others=others,
    )


def _first_of(waits: Sequence[Busy], *, all_of_them: bool) -> Busy:
    """The shortest wait. An account that is left alone is asked for again each second by whoever
    polls; but if others could be polled for, this one message must not go to and fro."""
    first = min(waits, key=lambda busy: busy.seconds)
    if first.code == "left_alone" and not all_of_them:
        return Busy(first.message, first.code, LONGEST_SLEEP)
    return first


def is_this_providers(error: NotificationError) -> bool:
    """Whether another provider might take what this one refused."""
    return isinstance(error, ProviderPaused) or (
        isinstance(error, PermanentError) and error.elsewhere
    )
