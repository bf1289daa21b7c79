"""Limits that the planned workers cannot reach: who raised one waits in vain for the speed."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured

from notifications import rate_limits
from notifications.conf import conf
from notifications.consumers import all_consumers
from notifications.providers import of_consumer
from notifications.worker.celery_settings import annotated_rates

SECONDS_A_SEND = 0.2
"""What a provider takes to answer, assumed: SES and SMS take 50 to 200 ms, push and WhatsApp as
long. `notifications_provider_seconds` says what yours do."""


def check_reach() -> Iterator[CheckMessage]:
    """Only where a fleet is planned: of others nobody knows how many threads there are. All of its
    threads at one channel are the most there can be; what shares them has less."""
    fleet = conf().fleet
    if fleet is None:
        return
    most = fleet.workers * fleet.worker_threads / SECONDS_A_SEND
    for account, rate in sorted(set(_set_here())):
        if rate > most:
            yield Warning(
                f"The limit of account {account!r} is {rate_limits.in_words(rate)}, and the "
                f"planned workers ({fleet.workers} with {fleet.worker_threads} threads each) send "
                f"{most:g}/s at most, at {SECONDS_A_SEND:g} s a send.",
                hint="Plan more workers or threads (a thread waits for its provider, so dozens "
                "are fine), or lower the limit to what is meant.",
                id="notifications.W074",
            )


def _set_here() -> Iterator[tuple[str, float]]:
    """The accounts whose limit this project set itself, in units a second. What a task of ours
    declares (10,000/s of FCM's) is what a provider allows, and nobody's wish."""
    annotated = annotated_rates(conf().celery)
    for consumer in all_consumers():
        try:
            for provider in of_consumer(consumer):
                if provider.rate_limit and (rate := rate_limits.declared(consumer, provider)):
                    yield provider.account, rate
            if rate := rate_limits.parse(annotated.get(consumer.task)):
                yield consumer.account_name, rate
        except ImproperlyConfigured:
            continue  # E017 or E037 says it
