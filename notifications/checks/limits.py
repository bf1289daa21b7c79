"""System checks of the limits: those that cannot be read, and those that contradict each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from notifications import rate_limits, recipient_limits
from notifications.conf import conf
from notifications.consumers import all_consumers


def check_rate_limits() -> Iterator[CheckMessage]:
    """Each task's `rate_limit` is readable, and those of one account are the same."""
    rates: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    for consumer in all_consumers():
        try:
            rates[consumer.account_name][consumer.task] = rate_limits.declared(consumer)
        except ImproperlyConfigured as error:
            yield Error(
                str(error),
                hint="Mend it where the task is declared, or in Celery's task_annotations.",
                id="notifications.E017",
            )
    for account, declared in sorted(rates.items()):
        if len({rate_limits.in_words(rate) for rate in declared.values()}) > 1:
            yield _contradiction(account, declared)


def check_recipient_limits() -> Iterator[CheckMessage]:
    """Each channel's `recipient_limit` is readable."""
    for channel, described in sorted(conf().channels.items()):
        try:
            recipient_limits.parse(described.recipient_limit)
        except (ImproperlyConfigured, TypeError) as error:
            yield Error(
                f"recipient_limit of channel {channel!r}: {error}",
                hint=f'Mend it in NOTIFICATIONS["CHANNELS"]["{channel}"].',
                id="notifications.E018",
            )


def _contradiction(account: str, declared: dict[str, float | None]) -> CheckMessage:
    said = ", ".join(
        f"{task} {rate_limits.in_words(rate)}" for task, rate in sorted(declared.items())
    )
    return Error(
        f"The tasks of account {account!r} declare different limits: {said}. Which of them "
        "holds would depend on who asked last.",
        hint="Give them the same rate_limit, or an account each (Consumer.account).",
        id="notifications.E019",
    )
