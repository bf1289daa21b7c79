"""The one tree of errors.

Adapters and domain code raise these; the worker decides by class alone, and
nobody but an adapter looks at a provider's codes. Configuration errors stand
apart (`django.core.exceptions.ImproperlyConfigured` and the system checks).
"""

from __future__ import annotations


class NotificationError(Exception):
    """The root. `code` is short, stable and safe to show: in Attempt.code, in fingerprints.

    `message` may be shown to operators: it must hold no address and no credential.
    Positional arguments only reach `Exception`, so that every error survives
    the pickling between a prefork child and its parent.
    `of_recipient`: the failure is the recipient's own (a partner's endpoint that is down): it says
    nothing of the provider's account, and holds nobody else up. `elsewhere`: it is this provider's
    alone (a sender that is not registered for the country, say): where a channel has several,
    another is asked.
    """

    default_code = "error"
    of_recipient = False
    elsewhere = False

    def __init__(self, message: str = "", code: str = "") -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class TransientError(NotificationError):
    """Worth trying again. `retry_after` (seconds), where the provider says it, beats our backoff.

    `counted` says that the attempt is on a delivery's row already: nobody counts it again.
    """

    default_code = "transient"
    counted = False

    def __init__(self, message: str = "", code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.args = (message, code, retry_after)
        self.retry_after = retry_after


class PermanentError(NotificationError):
    """Trying again can never help (an invalid address, a refused payload)."""

    default_code = "permanent"


class AttemptsExhausted(PermanentError):
    """A transient error that came once more than the consumer's `max_retries` allows."""

    default_code = "attempts_exhausted"


class Poisoned(PermanentError):
    """The event's task began too often without an end: it kills or hangs its process."""

    default_code = "poison"
    attempts = 0


class ProviderPaused(TransientError):
    """The whole account is refused (suspended, quota used up): try nothing else on it now."""

    default_code = "provider_paused"


class Elsewhere(TransientError):
    """One of a channel's several providers did not take it: another is asked at once."""

    default_code = "elsewhere"


class NotProvisioned(TransientError):
    """A topic or queue that the topology declares is not there (yet)."""

    default_code = "not_provisioned"


class OutcomeUnknown(NotificationError):
    """The request was written and the answer never came: neither sent nor failed."""

    default_code = "outcome_unknown"


class Busy(NotificationError):
    """Not now: look again in `seconds`. Costs no attempt.

    Somebody else holds the lease, the account is paused or left alone, it has no turn for us,
    or another suspect is running.
    """

    default_code = "busy"

    def __init__(self, message: str = "", code: str = "", seconds: float = 1.0) -> None:
        super().__init__(message, code)
        self.args = (message, code, seconds)
        self.seconds = seconds


class EventRefused(NotificationError, ValueError):
    """Data that does not validate, refused where it is raised, with the field named."""

    default_code = "event_refused"


class NewerEvent(EventRefused):
    """Nothing is wrong with the data but fields that our model does not have (yet)."""


class EndpointRefused(NotificationError, ValueError):
    """A webhook endpoint that cannot be had so: its name, its URL, or what it wants is wrong."""

    default_code = "endpoint_refused"


class OutsideTransaction(NotificationError, RuntimeError):
    """`record()` outside a transaction: the event could be kept while the order is lost."""

    default_code = "outside_transaction"


class NotAnEvent(NotificationError, ValueError):
    """A body that is no event we know how to read: it is quarantined, never dropped."""

    default_code = "not_an_event"


class UnknownEvent(NotificationError, LookupError):
    """An event of a type or version not registered here (a rolling deploy): held, then buried."""

    default_code = "unknown_event"


class Unreadable(NotificationError, ValueError):
    """A sealed text that no key of ours opens any more."""

    default_code = "unreadable"
