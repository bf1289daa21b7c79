"""Whether SQS answers, in a word."""

from __future__ import annotations

from enum import StrEnum

from botocore.exceptions import ClientError

from notifications.aws.clients import client
from notifications.aws.errors import AWS_ERRORS, NO_CREDENTIALS


class Reach(StrEnum):
    OK = "ok"
    AWAY = "away"
    UNKNOWN = "not known"


def reach(queue: str, *, seconds: float) -> Reach:
    """What asking for the queue of that physical name meets, in one try of so many seconds at each
    step. A refusal is an answer: who may not ask (the web's role need not), or asks for a queue
    that `provision` is yet to make, has reached it. Without credentials nobody can know. Raises
    nothing of AWS's."""
    try:
        sqs = client("sqs", connect_timeout=seconds, read_timeout=seconds, total_max_attempts=1)
        sqs.get_queue_url(QueueName=queue)
    except NO_CREDENTIALS:
        return Reach.UNKNOWN
    except ClientError as error:
        return Reach.AWAY if _status(error) >= 500 else Reach.OK
    except AWS_ERRORS:
        return Reach.AWAY
    return Reach.OK


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
