"""Giving up: a message leaves its queue for the dead-letter queue, with the reason written on it.

    bury(Letter(…, failure=Failure.of(error, attempts=9)))

If SQS refuses it (too big, too many attributes, no such queue) or cannot be reached, it is
kept as a `DeadLetter` row instead. Only when neither takes it does `bury` raise.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from kombu.utils.encoding import safe_str

from notifications import fingerprints
from notifications.exceptions import NotificationError
from notifications.redaction import redact

logger = logging.getLogger(__name__)

MAX_ATTRIBUTES = 10
"""Of one message in SQS, the original's own included."""

MAX_REASON, MAX_ERROR_CLASS, MAX_FINGERPRINT = 40, 200, fingerprints.LONGEST
"""Characters, as the columns of `DeadLetter` hold them."""

MAX_ERROR = 500

ALWAYS_WRITTEN = frozenset({"reason", "attempts", "first_seen", "source_message_id"})
WRITTEN = ALWAYS_WRITTEN | {"error_class", "error", "fingerprint", "source_queue"}
"""The message attributes that are ours; the rest were on it when it came."""

_TRIES, _BETWEEN = 3, 0.5  # of a send that could not reach SQS, and seconds between them

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Send = Callable[["Letter", Mapping[str, Any]], None]


class Refused(Exception):
    """SQS will not take the letter, however often it is asked, or not as it came."""


@dataclass(frozen=True)
class Failure:
    """Why a message was given up on, in words that may be kept: no address, no credential.

    reason: a short constant (not_an_event, unknown_event, failed, attempts_exhausted, …).
    fingerprint: the same for failures of one cause, so that they can be looked at together.
    """

    reason: str
    error_class: str = ""
    error: str = ""
    fingerprint: str = ""
    attempts: int = 0

    @classmethod
    def of(cls, error: BaseException, *, attempts: int, reason: str = "") -> Failure:
        """`reason` is the error's own code unless given; a bug's is `failed`."""
        code = error.code if isinstance(error, NotificationError) else ""
        name = fingerprints.class_name(error)
        text = error.message if isinstance(error, NotificationError) else safe_str(error)
        return cls(
            reason=printable(reason or code or "failed")[:MAX_REASON],
            error_class=name[:MAX_ERROR_CLASS],
            error=printable(redact(text))[:MAX_ERROR],
            fingerprint=fingerprints.of(error),
            attempts=attempts,
        )


@dataclass(frozen=True)
class Letter:
    """One message to be buried. `queue` is without the prefix, `dead_letters` physical.

    body, attributes: as they came. event_id, event_type, subject: where it is an event.
    """

    queue: str
    dead_letters: str
    message_id: str
    body: str
    failure: Failure
    first_seen: datetime
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str = ""
    generation: int = 0
    event_id: UUID | None = None
    event_type: str = ""
    subject: str = ""


def bury(letter: Letter, send: Send) -> None:
    """Send to the dead-letter queue or else keep as a row. Raises when both were impossible.

    send: hands letter and attributes to SQS; raises Refused, or OSError when it may be tried
    again.
    """
    try:
        _send(letter, send)
    except (Refused, OSError) as error:
        logger.warning(
            "The dead-letter queue %s did not take message %s, it is kept as a row: %s",
            letter.dead_letters,
            letter.message_id,
            error,
        )
        _keep(letter)
    else:
        logger.warning(
            "Gave up on message %s of %s: %s %s",
            letter.message_id,
            letter.queue,
            letter.failure.reason,
            letter.failure.error_class,
        )


def sqs_attributes(letter: Letter) -> dict[str, dict[str, str]]:
    """The letter's message attributes: ours, and the original's as far as they go together.

    Raises Refused when there are more of them than SQS takes, or one of its own has the name
    of one of ours: it is kept as it came, somewhere else.
    """
    if taken := sorted(WRITTEN & set(letter.attributes)):
        raise Refused(f"it has message attributes of its own named {', '.join(taken)}")
    failure = letter.failure
    values = {
        "reason": failure.reason,
        "error_class": failure.error_class,
        "error": failure.error,
        "fingerprint": failure.fingerprint,
        "attempts": str(failure.attempts),
        "first_seen": letter.first_seen.isoformat(),
        "source_message_id": letter.message_id,
    }
    ours = {
        name: {"DataType": "String", "StringValue": text}
        for name, value in values.items()
        if (text := printable(value))  # SQS refuses an empty value
    }
    together: dict[str, dict[str, str]] = {**letter.attributes, **ours}  # type: ignore[dict-item]
    if len(together) > MAX_ATTRIBUTES:
        raise Refused(f"{len(together)} message attributes, SQS takes {MAX_ATTRIBUTES}")
    if len(together) < MAX_ATTRIBUTES:  # the least of them: its consumer is known by the queue
        together["source_queue"] = {"DataType": "String", "StringValue": letter.queue}
    return together


def printable(text: str) -> str:
    """What SQS and PostgreSQL take of it, with a mark in place of the rest."""
    return _UNPRINTABLE.sub("�", text)


def moment(unix_seconds: float) -> datetime:
    """SQS's time of a message; now, for one that has none."""
    return datetime.fromtimestamp(unix_seconds, UTC) if unix_seconds else datetime.now(UTC)


def _send(letter: Letter, send: Send) -> None:
    attributes = sqs_attributes(letter)
    for tries_left in reversed(range(_TRIES)):
        try:
            send(letter, attributes)
        except OSError:
            if not tries_left:
                raise
            time.sleep(_BETWEEN)
        else:
            return


def _keep(letter: Letter) -> None:
    from notifications.models import DeadLetter

    DeadLetter.objects.keep(letter)
