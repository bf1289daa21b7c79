"""Buried: a message as it lies in a dead-letter queue, read back into the letter that it was.

A worker sent it there, with the reason written on it (`notifications.dead_letters`), or SQS moved
it after its queue's `maxReceiveCount`, or SNS could not deliver it at all: with nothing on it but
what its publisher wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from notifications import dead_letters, fingerprints
from notifications.dead_letters import Failure, Letter
from notifications.envelope import EARLIEST, LATEST
from notifications.identity import identify
from notifications.topology import Queue, Role, Topology

MAX_RECEIVES = "max_receives"
"""The reason of what SQS moved: it was received too often, and nobody lived to say why."""

UNDELIVERED = "sns_could_not_deliver"
"""The reason of what SNS put on a subscription's dead-letter queue."""

_UNSAID = {
    MAX_RECEIVES: "SQS moved it here: it was received more often than its queue allows.",
    UNDELIVERED: "SNS could not deliver it to its queue: that was gone, or did not let it.",
}

Attributes = Mapping[str, Mapping[str, Any]]


def letter(layout: Topology, grave: Queue, message: Mapping[str, Any]) -> Letter:
    """The letter that `message`, received from the dead-letter queue `grave`, was.

    What the message says of itself is cut and cleaned to what a row holds, and believed no
    further: whoever may send to this queue may write anything.
    """
    system, attributes = message.get("Attributes", {}), message.get("MessageAttributes", {})
    undelivered = grave.role is Role.UNDELIVERED  # no worker has had it: all is its publisher's
    ours, theirs = ({}, attributes) if undelivered else _told_apart(attributes)
    body = message.get("Body", "")
    identity = identify(body)
    sent = dead_letters.moment(_number(system.get("SentTimestamp")) / 1000)
    return Letter(
        queue=_queue(layout, grave, ours, system),
        dead_letters=grave.physical,
        message_id=ours.get("source_message_id", "")[:100] or message["MessageId"],
        body=body,
        failure=_failure(ours) if ours else _nobody_said_why(grave),
        first_seen=_moment(ours.get("first_seen", "")) or sent,
        attributes=theirs,
        group=system.get("MessageGroupId", ""),
        generation=identity.generation,
        event_id=identity.event_id,
        event_type=identity.event_type,
        subject=identity.subject,
    )


def _told_apart(attributes: Attributes) -> tuple[dict[str, str], Attributes]:
    """What a worker wrote on it as texts, and what was on it before. No worker: all was before."""
    if not set(attributes) >= dead_letters.ALWAYS_WRITTEN:
        return {}, attributes
    ours = {
        name: dead_letters.printable(str(attributes[name].get("StringValue", "")))
        for name in dead_letters.WRITTEN & set(attributes)
    }
    return ours, {name: value for name, value in attributes.items() if name not in ours}


def _queue(
    layout: Topology, grave: Queue, ours: Mapping[str, str], system: Mapping[str, Any]
) -> str:
    """The queue it was on, as the worker or SQS says; its consumer's own, if neither does."""
    source = str(system.get("DeadLetterQueueSourceArn", "")).rpartition(":")[2]
    for queue in layout.queues:
        told = queue.name == ours.get("source_queue") or (not ours and queue.physical == source)
        if told and queue.consumer == grave.consumer:
            return queue.name
    return grave.consumer


def _failure(ours: Mapping[str, str]) -> Failure:
    reason, error_class, error = ours["reason"], ours.get("error_class", ""), ours.get("error", "")
    told = ours.get("fingerprint", "")
    return Failure(
        reason=reason[: dead_letters.MAX_REASON] or "failed",
        error_class=error_class[: dead_letters.MAX_ERROR_CLASS],
        error=error[: dead_letters.MAX_ERROR],
        fingerprint=told
        if fingerprints.is_fingerprint(told)
        else fingerprints.fingerprint(error_class, reason, error),
        attempts=min(_number(ours.get("attempts")), 2**31 - 1),
    )


def _nobody_said_why(grave: Queue) -> Failure:
    reason = UNDELIVERED if grave.role is Role.UNDELIVERED else MAX_RECEIVES
    return Failure(
        reason=reason,
        error=_UNSAID[reason],
        fingerprint=fingerprints.fingerprint("", reason, ""),
    )


def _moment(text: str) -> datetime | None:
    """None for what is no time, or lies where adding its days of retention would overflow."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else LATEST
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def _number(value: Any) -> int:
    """A whole number of a believable length; 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
