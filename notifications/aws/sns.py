"""SNS as the relay uses it."""

from __future__ import annotations

from collections.abc import Sequence

from notifications.aws.arns import arns
from notifications.aws.batches import Entry, Outcome
from notifications.aws.clients import client

READ_TIMEOUT = 5.0
"""Seconds, in one try: the relay's own back-off is the retry, and it is written down."""


def publish_batch(topic: str, entries: Sequence[Entry]) -> Outcome:
    """Publish to the topic of that physical name. Raises botocore's errors for the whole call."""
    sns = client("sns", connect_timeout=5, read_timeout=READ_TIMEOUT, total_max_attempts=1)
    answer = sns.publish_batch(
        TopicArn=arns().topic(topic),
        PublishBatchRequestEntries=[entry.request("Message") for entry in entries],
    )
    return Outcome.of(entries, answer)
