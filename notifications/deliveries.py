"""One delivery: claim, decide, render, send, record."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded

from notifications import (
    asked,
    decision,
    digests,
    edits,
    failover,
    fallbacks,
    held_duties,
    messages,
    metrics,
    outcomes,
    providers,
    quiet_hours,
    recipient_limits,
    recipients,
    spans,
)
from notifications.accounts import UNLIMITED, Account
from notifications.channels.adapters import adapter
from notifications.channels.base import Content, Message, longest_send
from notifications.conf import Route, conf
from notifications.connection_pool import lend_connection
from notifications.consumers import name_serving, serving
from notifications.duties import Duty
from notifications.envelope import Envelope
from notifications.exceptions import (
    Busy,
    Elsewhere,
    NotificationError,
    ProviderPaused,
    TransientError,
)
from notifications.models import Delivery, Handled
from notifications.models.claim import Claim, ClaimOutcome
from notifications.outages import called_off, is_away
from notifications.outcomes import Sent, Skipped, Trouble
from notifications.recipients import Recipient
from notifications.retries import RetryPolicy
from notifications.span import Kind, Span
from notifications.unheard import unheard

DEFAULT_LEASE = timedelta(seconds=30)
"""For a channel that no consumer serves (a delivery made by hand)."""

BESIDE_A_SEND = 3.0
"""Seconds that one recipient may take besides its provider: its turn is waited for, up to
`notifications.worker.account.HORIZON`, and what came of it is written."""

MANY = 20
"""Recipients of one message, beyond which those who were told are passed over all at once."""

NO_LONGER_NAMED = "no_longer_named"
"""The reason why a delivery was skipped that was put off, tried or resent, for nobody now."""

logger = logging.getLogger(__name__)


def deliver(
    envelope: Envelope,
    *,
    channel: str,
    policy: RetryPolicy,
    account: Account = UNLIMITED,
    task_id: UUID | str | None = None,
    worker: str = "",
    queue: str = "",
    again: bool = False,
) -> None:
    """Tell everybody whom `channel` has to tell about this event.

    Each recipient of each route is a delivery of its own and none waits for another. What
    was sent, skipped or done before returns quietly; otherwise the most urgent error is
    raised when all have been tried: TransientError (`retry_after` seconds, `counted`) or
    Busy (`seconds`) if any is to be tried again, else the exception of one that failed.

    A run has an end: past the channel's `max_seconds` its message is given up, and its worker
    begins anew. So the rest is left for a run of its own, at once, as soon as one more send might
    last beyond that; who has been told already is passed over then.

    again: whether this message, or one before it, may have begun deliveries that are still open.
    """
    last_start = time.monotonic() + _seconds_to_start_in(channel)
    several = providers.of_channel(channel)
    duties = [
        Duty(
            envelope,
            adapter(channel),
            channel,
            route,
            recipient,
            policy,
            account,
            task_id,
            worker,
            queue,
            several,
        )
        for route, recipient in _addressees(envelope, channel)
    ]
    if again or envelope.generation or not duties:
        _skip_unnamed(envelope, channel, duties)
    if not duties:
        fallbacks.nobody_here(envelope, channel, queue=queue)
        Handled.objects.mark_done(name_serving(channel), envelope)
    errors: list[Exception] = []
    tried = False  # each run gets one further, however short its time
    for duty in _not_at_rest(envelope, channel, duties):
        if tried and time.monotonic() > last_start:
            errors.append(Busy("not everybody is told yet", "more_to_tell", seconds=0.0))
            break
        try:
            tried = _deliver_one(duty, last_start=last_start) or tried
        except ProviderPaused:
            raise  # the account is away: the rest would fare no better now
        except SoftTimeLimitExceeded:
            raise  # there is no time for the rest
        except Exception as error:
            if is_away(error) and not called_off(error):
                raise  # nor is there any use while the database is
            errors.append(error)  # raised below, when the others have been told
            tried = tried or not isinstance(error, Busy)
    if digests.is_digest(envelope):
        digests.settle(envelope)
    fallbacks.go_on(envelope, ((duty.route, duty.recipient) for duty in duties), queue=queue)
    if errors:
        _raise_most_urgent(errors)


def _seconds_to_start_in(channel: str) -> float:
    """For how long a run may begin another send, so that even that one ends in time."""
    each = conf().channels[channel].each
    longest = max(longest_send(described.options) for described in each) + BESIDE_A_SEND
    return lease_of(channel).total_seconds() - longest


def _addressees(envelope: Envelope, channel: str) -> Iterator[tuple[Route, Recipient]]:
    if digests.is_digest(envelope):
        yield from digests.addressees(envelope, channel)
    for route in conf().routes.get(envelope.type, ()):
        if route.channel == channel:
            for recipient in recipients.resolve(envelope, route):
                if fallbacks.is_called_for(envelope, route, recipient):
                    yield route, recipient


def _skip_unnamed(envelope: Envelope, channel: str, duties: list[Duty]) -> None:
    """Race: since it was resent, put off or tried last, the shop has lost a recipient (a device,
    say). No other message would ever bring the delivery to an end."""
    named = {(duty.route.name, duty.recipient.reference) for duty in duties}
    left = Delivery.objects.left_to(envelope, channel)
    gone = [
        pk for pk, *whom in left.values_list("pk", "route", "recipient") if tuple(whom) not in named
    ]
    if gone:
        left.filter(pk__in=gone).end_unsent(Delivery.State.SKIPPED, reason=NO_LONGER_NAMED)


def _not_at_rest(envelope: Envelope, channel: str, duties: list[Duty]) -> list[Duty]:
    """Those of whom something may be to be done. Of a few, each one's claim finds out; of many that
    would take the whole run, and the last would never be told."""
    if len(duties) <= MANY:
        return duties
    at_rest = set(Delivery.objects.at_rest(envelope, channel).values_list("route", "recipient"))
    return [duty for duty in duties if (duty.route.name, duty.recipient.reference) not in at_rest]


def _deliver_one(duty: Duty, *, last_start: float) -> bool:
    """Whether there was anything to do. What one of several providers did not take goes to
    another at once, as long as the run has time for one more send."""
    if held_duties.hold(duty):
        return False
    for _ in duty.providers[1:]:
        try:
            return _try_one(duty)
        except Elsewhere:
            if time.monotonic() > last_start:
                raise
    return _try_one(duty)


def _try_one(duty: Duty) -> bool:
    """Whether there was anything to do."""
    duty.account.check()
    lease_ends = time.monotonic() + lease_of(duty.channel).total_seconds()
    claim = _claim(duty)
    if claim is None:
        return False
    with spans.span(
        f"deliver {duty.channel}",
        delivery=claim.delivery_id,
        attempt=f"{claim.generation}.{claim.number}",
        channel=duty.channel,
    ) as span:
        _attempt(duty, claim, lease_ends, span)
    return True


def _attempt(duty: Duty, claim: Claim, lease_ends: float, span: Span) -> None:
    result: Sent | Skipped | Trouble
    content: Content | None = None
    request = ""
    started = time.monotonic()
    try:
        duty = edits.applied(duty, claim)
        with spans.span("decide"):
            reason = _decide(duty, claim)
        if reason:
            result = Skipped(reason)
        else:
            with spans.span("render"):
                message = messages.compose(duty, claim)
            with spans.span("send"):
                duty, message = _wait_turn(duty, claim, message)
                content = message.content
                _insist_on_lease(lease_ends)
                request = asked.in_a_line(message, duty.adapter, channel=duty.channel)
                result = _send(duty, message)
    except Exception as error:  # noqa: BLE001 - every one is put on record, and raised again there
        result = Trouble(error)
    seconds = time.monotonic() - started
    span.set(provider=duty.sender, outcome=type(result).__name__.lower())
    outcomes.record(duty, claim, result, seconds=seconds, content=content, request=request)


def _claim(duty: Duty) -> Claim | None:
    """The claim, or None when there is nothing left to do for this message."""
    if digests.collect(duty) or quiet_hours.hold_back(duty):
        logger.info("event %s waits: its recipient is told later", duty.envelope.id)
        return None
    with recipient_limits.room(duty) as may_be_told:
        if not may_be_told:
            logger.info(
                "event %s waits: its recipient has been told enough for now", duty.envelope.id
            )
            return None
        claim = Delivery.objects.claim(
            duty.envelope,
            channel=duty.channel,
            route=duty.route,
            recipient=duty.recipient,
            lease=lease_of(duty.channel),
            task_id=duty.task_id,
            worker=duty.worker,
        )
    match claim.outcome:
        case ClaimOutcome.CLAIMED:
            return claim
        case ClaimOutcome.DUPLICATE:
            _insist_on_dead_letter(duty, claim)
            logger.info("delivery %s is done already: duplicate", claim.delivery_id)
            return None
        case ClaimOutcome.BUSY:
            raise Busy(f"delivery {claim.delivery_id} is not free yet", seconds=claim.seconds)
        case ClaimOutcome.LAPSED:
            # Its sender died, or still hangs in the provider's call: nobody can say whether
            # the provider has it. So it is not taken over, but judged like any lost answer.
            outcomes.record_lapsed(duty, claim)
            return None


def _insist_on_dead_letter(duty: Duty, claim: Claim) -> None:
    """Raise the failure again of what this very message gave up: it is no dead letter yet.

    Race: its worker died after the row was written and before the dead letter was. Or another of
    the message's recipients was to be tried again, and that was more urgent. Of a message that is
    only a copy nothing is raised: one failure is one dead letter.
    """
    if duty.task_id is None:
        return
    given_up = Delivery.objects.given_up_by(duty.task_id).filter(pk=claim.delivery_id).first()
    if given_up is not None:
        raise outcomes.as_it_failed(given_up)


def lease_of(channel: str) -> timedelta:
    """How long a claim holds: as long as one message of the channel's consumer may take."""
    consumer = serving(channel)
    return timedelta(seconds=consumer.max_seconds) if consumer else DEFAULT_LEASE


def _decide(duty: Duty, claim: Claim) -> str:
    """Why it should not be sent, or nothing."""
    if digests.is_digest(duty.envelope):
        return digests.decide(duty, claim)
    if duty.route.rule and fallbacks.told_already(duty.envelope, duty.route, duty.recipient):
        return fallbacks.TOLD_ALREADY
    no = decision.objection(duty.envelope, duty.recipient, channel=duty.channel)
    if no is None or (no.overridable and Delivery.objects.is_overridden(claim)):
        return ""
    return no.reason


def _wait_turn(duty: Duty, claim: Claim, message: Message) -> tuple[Duty, Message]:
    """Both as they are to be sent: by which provider, where there are several."""
    lend_connection()
    if duty.providers:
        return failover.choose(duty, claim, message)
    with unheard():
        duty.adapter.prepare()
    duty.account.wait_turn(duty.adapter.weight(message))
    return duty, message


def _insist_on_lease(ends: float) -> None:
    """Race: the shop's hooks took so long, or this process was suspended, that somebody else may
    have taken over by now. Nothing is sent yet, and that is still to be said."""
    if time.monotonic() >= ends:
        raise TransientError("the lease ended before the provider was asked", "too_slow")


def _send(duty: Duty, message: Message) -> Sent:
    lend_connection()
    started = time.perf_counter()
    try:
        with spans.span(
            f"{duty.adapter.operation} {duty.sender}", Kind.CLIENT, provider=duty.sender
        ):
            accepted = duty.adapter.send(message)
    except NotificationError as error:
        duty.account.report(error)
        raise
    except Exception as error:
        raise outcomes.Unforeseen(error) from error
    finally:
        metrics.record_provider(duty.channel, duty.sender, time.perf_counter() - started)
    duty.account.report(None)
    return Sent(accepted, message.content.template_version)


def _raise_most_urgent(errors: list[Exception]) -> NoReturn:
    """The one whose message must come back soonest; else a bug; else what failed for good.

    The others are on their rows. They are logged by class and code, for a text may name
    somebody.
    """
    urgent = min(errors, key=_urgency)
    for error in errors:
        if error is not urgent:
            logger.warning("besides: %s", outcomes.code_of(error))
    raise urgent


def _urgency(error: Exception) -> tuple[int, float]:
    match error:
        case Busy(seconds=seconds):
            return 0, seconds
        case TransientError(retry_after=seconds):
            return 0, seconds if seconds is not None else math.inf
        case NotificationError():
            return 2, 0.0
        case _:
            return 1, 0.0
