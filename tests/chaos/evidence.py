"""What a run left behind: at the providers, in the operators' tables, and on the queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import Count, F, OuterRef, Q
from django.db.models.functions import Now

from notifications import keeper, topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, DeadLetter, Delivery, Dispatch, Event, Handled
from notifications.topology import Role
from orders_site.demo.manifest import Call, Manifest
from orders_site.demo.underway import messages_under_way
from tests.chaos.verdict import Evidence, Taken, Told

UNKNOWN = Q(outcome="unknown") | Q(outcome="sent") & ~Q(code="")
"""Attempts of which nobody knew: settled since or not, as `Attempt.unknown_retried` counts."""


def gather(manifest: Manifest, sandbox: SandboxClient, silent: Callable[[Call], bool]) -> Evidence:
    """Once nothing moves any more and our processes have ended: dead letters are received."""
    return Evidence(
        required=manifest.required,
        optional=manifest.optional,
        taken=[
            Taken(Call(each.subject, each.event_type, each.channel, each.address), each.tag)
            for each in sandbox.accepted()
        ],
        told=[
            Told(
                row.pk,
                Call(row.subject, row.event_type, row.channel, row.address),
                row.state,
                row.reason,
            )
            for row in Delivery.objects.all()
        ],
        unknown={attempt.tag for attempt in Attempt.objects.filter(UNKNOWN)},
        buried={*_kept_letters(), *_waiting_letters()},
        silent=silent,
    )


def still_moving() -> str:
    """What is yet to be done, in words; nothing when nothing is."""
    open_deliveries = Delivery.objects.filter(
        Q(state__in=["pending", "sending", "retrying"])
        | Q(state=Delivery.State.UNKNOWN, next_try_at__isnull=False)
    )
    left = {
        "dispatches": Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).count(),
        "messages": messages_under_way(),
        "deliveries": open_deliveries.count(),
        # One that a killed relay was keeping is hidden from us too, for up to a minute.
        "dead letters in SQS": sum(depth.in_sqs for depth in keeper.depths()),
    }
    return ", ".join(f"{count} {what}" for what, count in left.items() if count)


def odd_rows() -> Iterator[str]:
    """Rows in a state that no operator's page would explain, once all is drained."""
    states = Delivery.objects.filter(state__in=["pending", "sending", "retrying"])
    yield from _counted("deliveries are still", states, "state")
    waiting = Delivery.objects.filter(state="unknown", next_try_at__lte=Now())
    yield from _counted("unknown deliveries were never tried again by", waiting, "channel")
    unpublished = Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED)
    yield from _counted("dispatches are still", unpublished, "state")
    begun = Attempt.objects.filter(outcome=Attempt.Outcome.STARTED)
    yield from _counted("attempts have no end, of deliveries that are", begun, "delivery__state")
    yield from _counted(
        "inbox rows are open at", Handled.objects.filter(outcome=Handled.Outcome.OPEN), "consumer"
    )
    ended = Delivery.objects.filter(state__in=Delivery.TERMINAL, finished_at=None)
    yield from _counted("deliveries have no time at which they reached", ended, "state")
    logged = Attempt.objects.filter(delivery=OuterRef("pk")).order_by().values("delivery")
    numbered = Delivery.objects.annotate(log=logged.annotate(n=Count("pk")).values("n")).exclude(
        log=F("attempts")
    )
    yield from _counted("deliveries count other attempts than they have by", numbered, "channel")
    if held := messages_under_way():
        yield f"{held} messages are still on a queue"


def story(call: Call) -> Iterator[str]:
    """What the tables tell of one call, for whoever has to find out."""
    ours = {"subject": call.subject, "event_type": call.event_type}
    for event in Event.objects.filter(subject=call.subject, type=call.event_type):
        yield f"event {event.pk} at {event.time}"
        for dispatch in event.dispatches.all():
            out = dispatch.published_at or "not out"
            yield f"dispatch {dispatch.state} after {dispatch.tries} tries: {out}"
    for row in Delivery.objects.filter(**ours, channel=call.channel):
        yield f"delivery {row.pk} to {row.recipient}: {row.state} {row.reason} {row.last_error}"
        for attempt in row.attempt_log.order_by("number"):
            yield (
                f"attempt {attempt.number} by {attempt.worker}: {attempt.outcome} {attempt.code}, "
                f"{attempt.started_at} to {attempt.finished_at}"
            )
    for handled in Handled.objects.filter(**ours, consumer=call.channel):
        yield f"inbox: {handled.outcome} after {handled.attempts}, {handled.starts} starts open"


def _counted(what: str, rows: Any, by: str) -> Iterator[str]:
    for value, count in rows.order_by(by).values_list(by).annotate(Count("pk")):
        yield f"{count} {what} {value}"


def _kept_letters() -> Iterator[tuple[str, str, str]]:
    for letter in DeadLetter.objects.all():
        yield letter.event_type, letter.subject, letter.queue.removesuffix("-bulk")


def _waiting_letters() -> Iterator[tuple[str, str, str]]:
    for queue in topology.current().queues:
        if queue.role is Role.DEAD_LETTERS:
            for body in _bodies(queue.physical):
                yield *_names(body), queue.name.removesuffix("-dlq")


def _bodies(physical: str) -> Iterator[str]:
    """Everything on the queue, hidden from further receives for as long as we look."""
    sqs: Any = client("sqs")
    while messages := sqs.receive_message(
        QueueUrl=queue_url(physical),
        MaxNumberOfMessages=10,
        VisibilityTimeout=600,
        WaitTimeSeconds=0,
    ).get("Messages"):
        yield from (message["Body"] for message in messages)


def _names(body: str) -> tuple[str, str]:
    """Type and subject of the event inside; what is no event has neither."""
    try:
        event: Mapping[str, Any] = json.loads(body)
        return str(event["type"]), str(event["subject"])
    except (ValueError, KeyError, TypeError):
        return "", ""
