"""Reading a provider's refusal: what it means for us, and how long to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr, parsedate_to_datetime

from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.redaction import redact
from notifications.retries import RETRY_AFTER_MAX

LONGEST_CODE = 100
"""Characters, as the columns hold them."""

_UNVERIFIED = "email address is not verified"  # SES, API errors and SMTP response codes
_NAMED = re.compile(r"[^\s,<>]+")


@dataclass(frozen=True)
class Codes:
    """What a provider's error codes mean; a code in none of the sets is decided by HTTP status.

    paused: the account as a whole is refused. transient: worth trying again.
    permanent: this message never. unknown: it may have been sent all the same. The first set
    that holds the code wins. elsewhere: those of the permanent that are this provider's alone:
    another may take the message. Or, as AWS does it, the reason that goes with a code.
    of_recipient: those that say something of this recipient only, and nothing of the account.
    """

    paused: frozenset[str] = field(default_factory=frozenset)
    transient: frozenset[str] = field(default_factory=frozenset)
    permanent: frozenset[str] = field(default_factory=frozenset)
    unknown: frozenset[str] = field(default_factory=frozenset)
    elsewhere: frozenset[str] = field(default_factory=frozenset)
    of_recipient: frozenset[str] = field(default_factory=frozenset)

    def error(
        self, code: str, status: int, message: str, retry_after: float | None, reason: str = ""
    ) -> NotificationError:
        """The error to raise for a refusal with this code and status. A code that none of the sets
        holds is somebody's word: whatever it is, it may be shown."""
        kind = self._kind(code, status)
        code = redact(code, limit=LONGEST_CODE)
        if issubclass(kind, TransientError):
            error: NotificationError = kind(message, code, retry_after)
        else:
            error = kind(message, code)
            error.elsewhere = not self.elsewhere.isdisjoint({code, reason})
        error.of_recipient = code in self.of_recipient
        return error

    def _kind(self, code: str, status: int) -> type[NotificationError]:
        if code in self.paused:
            return ProviderPaused
        if code in self.transient:
            return TransientError
        if code in self.permanent:
            return PermanentError
        if code in self.unknown:
            return OutcomeUnknown
        return _kind_by_status(status)


def retry_after(header: str | None) -> float | None:
    """Seconds from a Retry-After header, whether seconds or a date (RFC 9110); None if neither.

    None as well for no time, and for one that is over (by our clock): taken at its word, it would
    use up all tries within a second, and have an account that is left alone probed without a rest.
    A date without its zone is taken for UTC, which is what RFC 9110 wants of it. Whoever answers
    may write what they like here, a partner's endpoint above all: nothing of it raises, and it is
    RETRY_AFTER_MAX at most.
    """
    seconds = _seconds(header) if header else None
    return min(seconds, RETRY_AFTER_MAX) if seconds and seconds > 0 else None


def invalid_address(what: str) -> PermanentError:
    """For an address that no provider needs to be asked about; `what` must not quote it."""
    return PermanentError(what, "invalid_address")


def is_unverified(said: str, sender: str) -> bool:
    """Whether SES, by its API or by SMTP, refuses our sender (as in a From header) as one that is
    not verified, and not the recipient, as it does while an account is on trial."""
    text = said.lower()
    address = parseaddr(sender)[1].lower()
    ours = {address, address.rpartition("@")[2]}  # what of ours SES verifies
    return _UNVERIFIED in text and not ours.isdisjoint(_NAMED.findall(text))


def _seconds(header: str) -> float | None:
    try:
        return float(header)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # a zone, say, that is further off than time goes
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return (until - datetime.now(UTC)).total_seconds()


def _kind_by_status(status: int) -> type[NotificationError]:
    if status in (401, 403):
        return ProviderPaused
    if status in (408, 425, 429) or status >= 500:
        return TransientError
    return PermanentError
