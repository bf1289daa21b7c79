"""Queue counts: what lies on many queues, asked for side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from notifications.aws import sqs
from notifications.aws.errors import AWS_ERRORS
from notifications.aws.sqs import Counts
from notifications.exceptions import NotProvisioned
from notifications.topology import Queue

AT_ONCE = 24
"""Calls under way: every queue of an ordinary shop, so that an SQS that does not answer costs one
time-out (`sqs.SEND_TIMEOUT`) and not one for each."""

TROUBLE = (*AWS_ERRORS, NotProvisioned, OSError)


@dataclass(frozen=True)
class QueueCounts:
    """counts: by the queue's name without prefix, of those that SQS told us of. error: the first
    of those that were in the way of others."""

    counts: Mapping[str, Counts]
    error: Exception | None = None


def of(queues: Sequence[Queue]) -> QueueCounts:
    """One call for each queue. Raises nothing that SQS may say."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="queue-counts") as threads:
        answers = list(threads.map(_ask, queues))
    told = zip(queues, answers, strict=True)
    counts = {queue.name: answer for queue, answer in told if isinstance(answer, Counts)}
    errors = (answer for answer in answers if isinstance(answer, Exception))
    return QueueCounts(counts, next(errors, None))


def _ask(queue: Queue) -> Counts | Exception:
    try:
        return sqs.counts(queue.physical)
    except TROUBLE as error:
        return error
