"""The channel consumers: a queue and a task for each channel of NOTIFICATIONS["CHANNELS"].

A channel of your own is an adapter and its line in the settings; its task is declared like ours.
One that is to be tried or limited in another way declares it, in any app's `consumers.py`:

    register_channel("pigeon", task="shop.pigeon")

    @shared_task(name="shop.pigeon", rate_limit="1/m", **TRIED)
    def pigeon(self, envelope): tell(self, envelope, channel="pigeon")

Nine tries in all: the waits before the second to the ninth are at most 2, 4, 8, … 256 seconds,
with full jitter (`notifications.retries.schedule`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from celery import shared_task
from django.core.exceptions import ImproperlyConfigured

from notifications.conf import as_far_as_readable, conf
from notifications.consumers import Consumer, all_consumers, register
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import TransientError
from notifications.retries import RetryPolicy
from notifications.worker.account import account_of
from notifications.worker.task import EventTask

OWN_TASKS = ("email", "sms", "whatsapp", "push", "webhook")

TRIED: dict[str, Any] = {
    "bind": True,
    "base": EventTask,
    "acks_late": True,
    "autoretry_for": (TransientError,),
    "max_retries": 8,
    "retry_backoff": 2,
    "retry_backoff_max": 600,
    "retry_jitter": True,
}
"""The words of `shared_task` with which each of our channels, and a receipt, is tried."""

TRIED_FOR_A_DAY: dict[str, Any] = TRIED | {
    "max_retries": 12,
    "retry_backoff": 30,
    "retry_backoff_max": 8 * 3600,
}
"""Of a partner's endpoint, whose operators sleep at night: the waits are at most 30 seconds, a
minute, two, … four hours, and twice eight: a day in all, half of it on average."""


def tell(task: EventTask, envelope: Envelope, *, channel: str) -> None:
    """What a channel's task does: `deliver`, with what the task was declared and called with."""
    with account_of(task) as account:
        deliver(
            envelope,
            channel=channel,
            policy=RetryPolicy.of(task),
            account=account,
            task_id=task.request.id,
            worker=task.request.hostname or "",
            queue=(task.request.headers or {}).get("queue", ""),
            again=task.may_have_begun,
        )


@shared_task(name="notifications.email", rate_limit="5/s", **TRIED)
def email(self: EventTask, envelope: Envelope) -> None:
    """5 a second: what a plain mail account allows, and many times less than most SES accounts."""
    tell(self, envelope, channel="email")


@shared_task(name="notifications.sms", rate_limit="3/s", **TRIED)
def sms(self: EventTask, envelope: Envelope) -> None:
    """3 parts a second: a toll-free number's."""
    tell(self, envelope, channel="sms")


@shared_task(name="notifications.whatsapp", rate_limit="80/s", **TRIED)
def whatsapp(self: EventTask, envelope: Envelope) -> None:
    """80 a second: one business phone number's."""
    tell(self, envelope, channel="whatsapp")


@shared_task(name="notifications.push", rate_limit="10000/s", **TRIED)
def push(self: EventTask, envelope: Envelope) -> None:
    """10,000 a second: FCM's 600,000 a minute and project."""
    tell(self, envelope, channel="push")


@shared_task(name="notifications.webhook", **TRIED_FOR_A_DAY)
def webhook(self: EventTask, envelope: Envelope) -> None:
    """No limit for all partners together: each has its own (ChannelConf.recipient_limit)."""
    tell(self, envelope, channel="webhook")


def register_channel(channel: str, *, task: str, max_retries: int = 8) -> Consumer:
    """Register the consumer that serves `channel` by the Celery task of that name.

    It wants the event types that are routed to it; what it is to tell as a later step of a
    fallback comes by a dispatch. One that no route leads to has its
    queues all the same, subscribed to nothing: resends and announcements may use them, and
    a worker started with `-Q` finds them.
    """
    settings = conf()
    if channel not in settings.channels:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["CHANNELS"] has no {channel!r}: add its adapter.'
        )
    wants = frozenset(
        event_type
        for event_type, routes in settings.routes.items()
        if any(route.channel == channel and not route.step for route in routes)
    )
    return register(
        Consumer(
            channel,
            task=task,
            wants=wants,
            max_seconds=settings.channels[channel].max_seconds,
            max_retries=max_retries,
            bulk=True,
            channel=channel,
        )
    )


def register_configured() -> None:
    """Register a consumer for each configured channel that has none yet.

    What cannot be read registers nothing, and hides nothing else: the system checks say it.
    """
    with as_far_as_readable():
        served = {consumer.channel for consumer in all_consumers()}
        for channel in sorted(set(conf().channels) - served):
            if channel not in OWN_TASKS:
                declare_task(channel)
            register_channel(
                channel,
                task=f"notifications.{channel}",
                max_retries=(TRIED_FOR_A_DAY if channel == "webhook" else TRIED)["max_retries"],
            )


@cache
def declare_task(channel: str) -> None:
    """The task of a channel for which nobody wrote one: tried like ours, without a rate limit.

    Declared once in a process: Celery keeps what is shared for every app to come.

    Celery's `task_annotations` change it: {"notifications.pigeon": {"rate_limit": "5/s"}}.
    """

    def task(self: EventTask, envelope: Envelope) -> None:
        tell(self, envelope, channel=channel)

    shared_task(name=f"notifications.{channel}", **TRIED)(task)  # type: ignore[no-untyped-call]
