"""Rate limits: what a task's `rate_limit` means for the account its consumer sends through.

Celery's word, and another meaning: not this worker's share, but what the provider takes from
all workers on all hosts together, in units (an SMS of three parts is three). The limit itself,
and whose turn it is, are on the account's row (`notifications.models.rate_limit`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from celery import current_app
from celery.utils.time import rate
from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit
from notifications.consumers import Consumer, all_consumers
from notifications.models import RateLimit
from notifications.models.rate_limit import RateLimitQuerySet
from notifications.providers import Provider, of_consumer
from notifications.redaction import redact

NONE = "none"
"""No limit, in words."""

SLOWEST, FASTEST, MOST = 1 / 86_400, 1_000_000.0, 10_000
"""Units a second that an operator may set, and units at once: beyond, the database's clock cannot
tell one turn from the next."""

SHORTEST_LATE, LONGEST_LATE = 0.05, 1.0
"""Seconds; the bounds of `valid_for`."""


def parse(words: object) -> float | None:
    """Units a second of Celery's "5/s", "100/m", "10/h" or a number; None is no limit.

    Raises ImproperlyConfigured.
    """
    try:
        per_second = float(rate(words))  # type: ignore[arg-type]
        if per_second >= 0:
            return per_second or None
    except (TypeError, ValueError, KeyError):
        pass
    raise ImproperlyConfigured(
        f"{words!r} is no rate: give it as Celery does, units per second, minute or hour "
        '("5/s", "100/m", "10/h").'
    )


def wished(words: str) -> float:
    """Units a second, as an operator gives them; math.inf for "none", no limit.

    Raises ImproperlyConfigured.
    """
    if words == NONE:
        return math.inf
    per_second = parse(words)
    if per_second is None:
        raise ImproperlyConfigured(
            gettext(
                "a limit is more than 0: `manage.py queues pause` stops a channel, "
                '"%(none)s" lifts the limit'
            )
            % {"none": NONE}
        )
    if not SLOWEST <= per_second <= FASTEST:
        raise ImproperlyConfigured(
            gettext(
                '%(words)r is no limit that anybody keeps: from one a day ("0.042/h") to '
                "%(most)s a second."
            )
            % {"words": words, "most": f"{FASTEST:,.0f}"}
        )
    return per_second


def wished_burst(text: str) -> int:
    """Units at once after a rest. Raises ImproperlyConfigured."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or not 0 < int(text) <= MOST:
        raise ImproperlyConfigured(
            gettext("%(text)r: give 1 or more units, %(most)d at most")
            % {"text": text, "most": MOST}
        )
    return int(text)


def declared(consumer: Consumer, provider: Provider | None = None) -> float | None:
    """What the consumer's task declares, `task_annotations` applied. None is no limit.

    provider: one of several, whose own limit goes before. Raises ImproperlyConfigured naming it.
    """
    if provider is not None and provider.rate_limit:
        return _of_provider(provider)
    task = current_app.tasks.get(consumer.task)
    try:
        return parse(getattr(task, "rate_limit", None))
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(f"rate_limit of task {consumer.task!r}: {error}") from None


def _of_provider(provider: Provider) -> float | None:
    if provider.rate_limit == NONE:
        return None
    try:
        return parse(provider.rate_limit)
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(
            f"rate_limit of provider {provider.name!r} of channel {provider.channel!r}: {error}"
        ) from None


def in_force(consumer: Consumer) -> float | None:
    """What the consumer's account may be sent now, or its several providers' together: what an
    operator set, or else what is declared in this process. None is no limit."""
    together = 0.0
    for provider in of_consumer(consumer) or (None,):
        account = provider.account if provider else consumer.account_name
        override = RateLimit.objects.override_of(account)
        per_second = declared(consumer, provider) if override is None else override
        if per_second is None or per_second == math.inf:
            return None
        together += per_second
    return together


def valid_for(per_second: float) -> float:
    """Seconds after its start for which a unit may still be sent; later, it is void.

    What is late crowds the second it is sent in. With units one interval apart and none later
    than another by more than max(0.1 s, one interval), no second holds more than the limit and
    max(1, a tenth of it). This is half of that; the rest is for the way to the provider, which of
    eight workers that begin at once on two cores took 0.1 s.
    """
    return min(LONGEST_LATE, max(SHORTEST_LATE, 0.5 / per_second))


def in_words(per_second: float | None) -> str:
    """ "5/s", "30/m", "10/h" or "none": what `parse` reads, in the unit that makes it readable."""
    if per_second is None:
        return NONE
    counts = {"s": per_second, "m": per_second * 60, "h": per_second * 3600}
    for unit, count in counts.items():
        if math.isclose(count, round(count), rel_tol=1e-9) and round(count):
            return f"{round(count)}/{unit}"
    return f"{per_second:g}/s"


@dataclass(frozen=True)
class Standing:
    """One account's limit as it stands, in units a second; None is no limit.

    override: what an operator set, math.inf being no limit. burst: units at once after a rest.
    granted: units in all. consumers: those that send through it.
    """

    account: str
    consumers: tuple[str, ...]
    declared: float | None
    override: float | None
    effective: float | None
    burst: int
    granted: int
    changed_at: datetime | None
    changed_by: str
    reason: str


def standings() -> list[Standing]:
    """Every account that a consumer sends through, and those of which only a row is left."""
    rows = {row.account: row for row in RateLimit.objects.all()}
    senders: dict[str, list[_Sender]] = {account: [] for account in rows}
    for consumer in all_consumers():
        for provider in of_consumer(consumer) or (None,):
            account = provider.account if provider else consumer.account_name
            senders.setdefault(account, []).append(_Sender(consumer, provider))
    return [
        _standing(rows.get(account) or RateLimit(account=account), sending)
        for account, sending in sorted(senders.items())
    ]


def standing(account: str) -> Standing:
    """One of them. Raises ImproperlyConfigured listing those there are."""
    found = {each.account: each for each in standings()}
    if account not in found:
        raise ImproperlyConfigured(
            f"No account is named {account!r}; there are: {', '.join(found) or 'none'}."
        )
    return found[account]


def set_limit(
    account: str, per_second: float, *, by: str, reason: str, burst: int | None = None
) -> None:
    """From now on this many units a second, whatever its task declares; math.inf is no limit.

    burst: units at once after a rest. Raises ValueError for what is no rate, and
    ImproperlyConfigured for an account that is not known.
    """
    with _changing("set", account, by=by, reason=reason) as limits:
        limits.set_override(account, per_second, by=by, reason=redact(reason), burst=burst)


def take_back(account: str, *, by: str, reason: str) -> None:
    """What its task declares holds again. Raises ImproperlyConfigured as `set_limit` does."""
    with _changing("reset", account, by=by, reason=reason) as limits:
        limits.take_back(account, by=by, reason=reason)


@contextmanager
def _changing(verb: str, account: str, *, by: str, reason: str) -> Iterator[RateLimitQuerySet]:
    """Within a transaction that holds the account's row, if it has one, and audits the change."""
    using = router.db_for_write(RateLimit)
    limits = RateLimit.objects.using(using)
    with transaction.atomic(using=using):
        limits.select_for_update().filter(account=account).first()
        before = _for_audit(standing(account))
        yield limits
        after = _for_audit(standing(account))
        if after != before:
            audit.record(
                f"rate_limit.{verb}",
                by=by,
                reason=reason,
                target=RateLimit(account=account),
                before=before,
                after=after,
            )


def _for_audit(now: Standing) -> dict[str, Any]:
    return {"limit": in_words(now.effective), "set": now.override is not None, "burst": now.burst}


class _Sender(NamedTuple):
    """A consumer, and by which of several providers it sends."""

    consumer: Consumer
    provider: Provider | None


def _standing(row: RateLimit, senders: list[_Sender]) -> Standing:
    if senders and not row.granted:
        # No worker has said it yet. Ours may differ: the environment of a shell is not theirs.
        row.declared = declared(*senders[0])
    return Standing(
        account=row.account,
        consumers=tuple(sender.consumer.name for sender in senders),
        declared=row.declared,
        override=row.override,
        effective=row.effective,
        burst=row.burst or 1,
        granted=row.granted,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        reason=row.reason,
    )
