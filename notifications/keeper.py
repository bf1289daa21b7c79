"""The keeper: brings what lies in the dead-letter queues into rows, where people work with it.

SQS forgets a message after fourteen days, cannot be searched, and hides from everybody what one
looks at. So the relays empty the dead-letter queues as they fill. A message is deleted there only
when its row is committed; while the database is away it waits in SQS.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import DatabaseError, transaction

from notifications import buried, queue_counts, topology
from notifications.advisory import lock_for_transaction
from notifications.aws import sqs
from notifications.aws.errors import AWS_ERRORS, describe
from notifications.exceptions import NotificationError
from notifications.models import DeadLetter
from notifications.outages import is_away
from notifications.topology import Queue, Role

logger = logging.getLogger(__name__)

HIDDEN = 60
"""Seconds for which a message is hidden while it is being kept. What could not be, comes again."""

Message = dict[str, Any]


@dataclass(frozen=True)
class Depth:
    """Dead letters of one consumer: those still in SQS, and open rows. Alarms go by `total`."""

    consumer: str
    in_sqs: int
    open: int

    @property
    def total(self) -> int:
        return self.in_sqs + self.open


def drain(
    *,
    using: str,
    go_on: Callable[[], bool] = lambda: True,
    hidden_for: int = HIDDEN,
    role: Role = Role.DEAD_LETTERS,
) -> int:
    """Keep whatever lies in any dead-letter queue; how many messages were kept.

    go_on: asked before each receive. hidden_for: seconds for which others do not see what is
    being kept. role: of the queues that are looked into.
    A queue that another relay is at just now is left to it. One that SQS does not let us have
    keeps no other waiting; its error is raised in the end. Raises what the database raises while
    it is away.
    """
    kept, trouble = 0, None
    for grave in (queue for queue in graves() if queue.role is role):
        try:
            kept += _drain(grave, using, go_on, hidden_for)
        except (*AWS_ERRORS, NotificationError) as error:
            trouble = error
    if trouble is not None:
        raise trouble
    return kept


def drain_undelivered(*, using: str, go_on: Callable[[], bool] = lambda: True) -> int:
    """Likewise, what SNS could not deliver."""
    return drain(using=using, go_on=go_on, role=Role.UNDELIVERED)


def depths() -> list[Depth]:
    """The dead letters of every consumer, by its name. Raises botocore's errors."""
    all_graves = graves()
    found = queue_counts.of(all_graves)
    if found.error:
        raise found.error
    in_sqs: Counter[str] = Counter()
    for grave in all_graves:
        in_sqs[grave.consumer] += found.counts[grave.name].total
    return [Depth(name, in_sqs[name], count) for name, count in sorted(open_rows().items())]


def open_rows() -> dict[str, int]:
    """How many dead letters of each consumer are open here."""
    consumers = {queue.name: queue.consumer for queue in topology.current().queues}
    rows = dict.fromkeys((grave.consumer for grave in graves()), 0)
    for queue, count in DeadLetter.objects.open_by_queue().items():
        consumer = consumers.get(queue, queue)  # of a consumer that is gone: by its queue's name
        rows[consumer] = rows.get(consumer, 0) + count
    return rows


def graves() -> list[Queue]:
    """The dead-letter queues, those of subscriptions included."""
    return [queue for queue in topology.current().queues if queue.role.is_grave]


def _drain(grave: Queue, using: str, go_on: Callable[[], bool], hidden_for: int) -> int:
    total = 0
    while go_on() and (kept := _keep_some(grave, using, hidden_for)):
        total += kept
    if total:
        logger.info("Kept %d dead letters of %s.", total, grave.physical)
    return total


def _keep_some(grave: Queue, using: str, hidden_for: int) -> int:
    """Up to ten messages, from SQS into rows; how many. 0 as well if they are another relay's.

    The lock ends with the transaction that keeps them, so it is held over one receive: nothing
    is read before that, so nothing is kept from being vacuumed meanwhile.
    """
    with transaction.atomic(using=using):
        if not lock_for_transaction(f"notifications/keeper/{grave.physical}", using=using):
            return 0
        messages = sqs.receive(grave.physical, hidden_for=hidden_for)
        kept = [message for message in messages if _keep(grave, message, using)]
    if kept:
        _delete(grave, kept)
    return len(kept)


def _keep(grave: Queue, message: Message, using: str) -> bool:
    """In a savepoint of its own: what PostgreSQL will not take keeps no other from being kept."""
    try:
        with transaction.atomic(using=using):
            letter = buried.letter(topology.current(), grave, message)
            rows = DeadLetter.objects.using(using)
            if rows.has_other_body(letter):  # whatever it says of itself, no body is given up
                letter = replace(letter, message_id=message["MessageId"])
            rows.keep(letter)
    except (DatabaseError, ValueError, KeyError, TypeError) as error:
        if is_away(error):
            raise
        logger.exception(
            "Message %s of %s could not be kept; it comes again.",
            message.get("MessageId"),
            grave.physical,
        )
        return False
    return True


def _delete(grave: Queue, kept: Sequence[Message]) -> None:
    """What stays there is received again, and its row found: nothing is doubled by it."""
    try:
        left = sqs.delete(grave.physical, [message["ReceiptHandle"] for message in kept])
    except AWS_ERRORS as error:
        logger.warning(
            "%d kept messages stay in %s: %s", len(kept), grave.physical, describe(error)
        )
        return
    for said in left.values():
        logger.warning("A kept message stays in %s: %s", grave.physical, said)
