"""What each key of NOTIFICATIONS takes, and what of a given setting cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from notifications.policies import (
    LONGEST_KEPT,
    Bulk,
    Editable,
    Fleet,
    Objective,
    ReceiptWebhooks,
    Reputation,
    Retention,
)
from notifications.setting import (
    FEWEST_RETENTION_DAYS,
    KMS_KEY_ARN,
    LONGEST_VISIBILITY,
    MAX_SOURCE,
    RETENTION_DAYS,
    Category,
    ChannelConf,
    Conf,
    Digest,
    Fallback,
    ProviderConf,
    QuietHours,
    Route,
)

KEYS = frozenset(entry.name.upper() for entry in fields(Conf))
"""Of the NOTIFICATIONS dictionary."""

_MOST_PROXIES = 10


def problems(given: Any) -> Iterator[str]:
    """What keeps a NOTIFICATIONS setting from being read: unknown keys, values of a wrong kind."""
    if not isinstance(given, Mapping):
        yield "NOTIFICATIONS must be a dictionary."
        return
    if unknown := sorted(map(str, set(given) - KEYS)):
        yield f"NOTIFICATIONS has unknown keys {unknown}; it may hold {sorted(KEYS)}."
    for name in _misfits(given):
        yield f'NOTIFICATIONS["{name}"] must be {_KINDS[name][1]}{_culprit(name, given[name])}.'


def _misfits(given: Mapping[str, Any]) -> list[str]:
    return [name for name, (fits, _) in _KINDS.items() if name in given and not fits(given[name])]


def _culprit(name: str, value: Any) -> str:
    """Which of its entries is the wrong one; empty where it is none of them alone. What one holds
    is not said: it may be a secret."""
    fits = _KINDS[name][0]
    if not isinstance(value, Mapping) or not fits({}):
        return ""
    wrong = [repr(key) for key, entry in value.items() if not fits({key: entry})]
    return f" (look at {', '.join(wrong)})" if wrong else ""


def unreadable(given: Any) -> set[str]:
    """The keys of which nobody knows what they are: those of a wrong kind, and those that somebody
    meant who wrote another ("ROUTE")."""
    if not isinstance(given, Mapping):
        return set(KEYS)
    absent = sorted(KEYS - set(given))
    meant = (get_close_matches(str(name).upper(), absent, n=1) for name in set(given) - KEYS)
    return set(_misfits(given)).union(*meant)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _maps(value: Any, fits_key: type, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, fits_key) and fits(entry) for key, entry in value.items()
    )


def _holds(
    value: Any, kind: type | tuple[type, ...], fits: Callable[[Any], bool] = lambda entry: True
) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(entry, kind) and fits(entry) for entry in value
    )


def _is_route(value: Route | Fallback) -> bool:
    if isinstance(value, Fallback):
        return isinstance(value.channels, tuple) and _holds(value.channels, str)
    return _is_text(value.channel) and isinstance(value.digest, Digest | None)


def _is_channel(value: Any) -> bool:
    return (
        isinstance(value, ChannelConf)
        and isinstance(value.providers, tuple)
        and _holds(value.providers, ProviderConf)
    )


def _is_editable(value: Any) -> bool:
    return isinstance(value, Editable) and _holds(value.free, str) and _holds(value.sensitive, str)


def _is_objective(value: Any) -> bool:
    return isinstance(value, Objective) and _holds(value.channels, str) and _is_text(value.route)


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        (
            *("PREFIX", "RECIPIENTS", "CONTEXT", "STILL_TRUE", "ATTACHMENTS"),
            *("TIMELINE", "ADDRESS_GONE", "FORGET", "CELERY", "PROCESS_BIND"),
        ),
        (_is_text, "a text"),
    ),
    **dict.fromkeys(("PUBLIC_URL", "PUBLIC_NAME", "METRICS_TOKEN"), (_is_text, "a text")),
    "METRICS_EMF": (lambda value: isinstance(value, bool), "True or False"),
    "SOURCE": (
        lambda value: _is_text(value) and 0 < len(value) <= MAX_SOURCE,
        f"a text of 1 to {MAX_SOURCE} characters",
    ),
    "CHANNELS": (
        lambda value: _maps(value, str, _is_channel),
        "a dictionary of channel names and ChannelConf(…), providers being a tuple of ProviderConf",
    ),
    "ROUTES": (
        lambda value: _maps(value, str, lambda entry: _holds(entry, (Route, Fallback), _is_route)),
        "a dictionary of event types and lists of Route(…, digest=Digest(…)) and Fallback((…), …)",
    ),
    "CATEGORIES": (
        lambda value: _maps(value, str, lambda entry: isinstance(entry, Category)),
        "a dictionary of names and Category(…)",
    ),
    **dict.fromkeys(
        ("ADDRESS_HASH_KEYS", "ENCRYPTION_KEYS"),
        (
            lambda value: _maps(value, int, _is_text),
            "a dictionary of versions (whole numbers) and secrets",
        ),
    ),
    "TEMPLATE_PARTIALS": (lambda value: _holds(value, str), "a list of template names"),
    "FOREIGN_EVENTS": (
        lambda value: value is None or _holds(value, str),
        "None, or a list of event types",
    ),
    "ALLOWED_RECIPIENTS": (
        lambda value: value is None or _holds(value, str),
        "None, or a list of addresses and patterns",
    ),
    "FIFO_TOPICS": (lambda value: _holds(value, str), "a list of topic names"),
    "VISIBILITY_SECONDS": (
        lambda value: type(value) is int and 2 <= value <= LONGEST_VISIBILITY,
        f"a whole number of seconds from 2 to {LONGEST_VISIBILITY}",
    ),
    "QUEUE_RETENTION_DAYS": (
        lambda value: type(value) is int and FEWEST_RETENTION_DAYS <= value <= RETENTION_DAYS,
        f"a whole number of days from {FEWEST_RETENTION_DAYS} to {RETENTION_DAYS}",
    ),
    "KMS_KEY": (
        lambda value: _is_text(value) and (not value or bool(re.fullmatch(KMS_KEY_ARN, value))),
        "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID (an alias is none), or empty",
    ),
    "RETENTION": (
        lambda value: isinstance(value, Retention) and not any(value.problems()),
        f"a Retention(…) of whole days from 1 to {LONGEST_KEPT} (bodies: from 0)",
    ),
    "RECEIPT_WEBHOOKS": (
        lambda value: isinstance(value, ReceiptWebhooks),
        "a ReceiptWebhooks(…)",
    ),
    "REPUTATION": (lambda value: isinstance(value, Reputation), "a Reputation(…)"),
    "BULK": (
        lambda value: isinstance(value, Bulk) and not any(value.problems()),
        "a Bulk(…) of whole numbers",
    ),
    "FLEET": (
        lambda value: value is None or (isinstance(value, Fleet) and not any(value.problems())),
        "None, or a Fleet(…) of whole numbers",
    ),
    "QUIET_HOURS": (
        lambda value: _maps(value, str, lambda entry: isinstance(entry, QuietHours)),
        "a dictionary of channel names and QuietHours(…)",
    ),
    "EDITABLE": (
        lambda value: _maps(value, str, _is_editable),
        "a dictionary of event types and Editable(…), of lists of names",
    ),
    "OBJECTIVES": (
        lambda value: _maps(value, str, _is_objective),
        "a dictionary of event types and Objective(…), channels being a list of names",
    ),
    "TRUSTED_PROXIES": (
        lambda value: type(value) is int and 0 <= value <= _MOST_PROXIES,
        f"a whole number from 0 to {_MOST_PROXIES}",
    ),
}
