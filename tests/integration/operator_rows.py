"""Rows for the operators' pages: something in every state, with addresses where they may hide."""

from __future__ import annotations

import json
from datetime import timedelta
from math import inf
from uuid import UUID, uuid4

from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import GroupResult, TaskResult

from notifications import audit, envelope
from notifications.identifiers import task_id
from notifications.models import (
    Attempt,
    AuditEntry,
    Breaker,
    Consent,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    Job,
    JobItem,
    Pause,
    Preference,
    RateLimit,
    Receipt,
    ScheduledEvent,
    Suppression,
    WebhookEndpoint,
    WorkerProcess,
)
from notifications.recipients import address_hash

EMAIL = "gustav.klein@example.org"
PHONE = "+491701234567"
TOKEN = "fcm-token-of-gustav-and-nobody-else-9f3c"
ADDRESSES = {"email": EMAIL, "sms": PHONE, "whatsapp": PHONE, "push": TOKEN}
CHANNELS = sorted(ADDRESSES)

MODELS: list[type[Model]] = [
    Delivery,
    Event,
    Dispatch,
    DeadLetter,
    Handled,
    Job,
    Breaker,
    Pause,
    RateLimit,
    Receipt,
    ScheduledEvent,
    Preference,
    Consent,
    Suppression,
    WebhookEndpoint,
    WorkerProcess,
    AuditEntry,
    TaskResult,
    GroupResult,
]


ADDED_BY_FORM: list[type[Model]] = [Preference, Suppression, WebhookEndpoint]
"""Which staff may add, though they edit none."""


def list_url(model: type[Model], query: str = "") -> str:
    return reverse(f"admin:{_name(model)}_changelist") + query


def page_url(row: Model) -> str:
    return reverse(f"admin:{_name(type(row))}_change", args=[row.pk])


def operator(*models: type[Model]) -> Client:
    """A logged-in member of staff who may view these models and nothing else."""
    user = User.objects.create_user(f"operator-{uuid4()}", is_staff=True)
    wanted = {(each._meta.app_label, f"view_{each._meta.model_name}") for each in models}
    held = Permission.objects.filter(codename__in=[codename for _, codename in wanted])
    user.user_permissions.set(
        each for each in held.select_related("content_type") if _key(each) in wanted
    )
    assert user.user_permissions.count() == len(wanted)
    client = Client()
    client.force_login(user)
    return client


def make_event(number: int = 1, event_type: str = "order.created") -> Event:
    event = Event.objects.create(
        type=event_type,
        source="urn:test",
        subject=f"order/{number}",
        time=timezone.now() - timedelta(seconds=5),
        data={"order_id": number},
        expected=["email", "payments"],
    )
    Dispatch.objects.create(
        event=event, subject=event.subject, kind=Dispatch.Kind.TOPIC, destination="order-events"
    )
    return event


def make_delivery(
    event: Event, *, state: str = "sent", channel: str = "email", recipient: str = "customer/42"
) -> Delivery:
    address = ADDRESSES[channel]
    return Delivery.objects.create(
        event=event,
        event_type=event.type,
        event_time=event.time,
        subject=event.subject,
        channel=channel,
        route="customer",
        recipient=recipient,
        address=address,
        address_hash=address_hash(address),
        state=state,
        attempts=1,
        last_error=f"refused: {address} is not known here",
        provider_message_id=f"provider-{event.subject}-{channel}-{state}",
        sent_at=timezone.now() if state == "sent" else None,
        next_try_at=timezone.now() + timedelta(minutes=3) if state == "retrying" else None,
    )


def make_attempt(delivery: Delivery, *, outcome: str = "permanent", number: int = 1) -> Attempt:
    return Attempt.objects.create(
        delivery=delivery,
        subject=delivery.subject,
        number=number,
        token=uuid4(),
        outcome=outcome,
        code="MessageRejected",
        detail=f"550 {delivery.address}: no such mailbox",
        task_id=task_id(delivery.event_id, delivery.channel, "message"),
        worker="worker-1@host",
        duration_ms=84,
    )


def make_receipt(delivery: Delivery, *, kind: str = "bounced") -> Receipt:
    return Receipt.objects.create(
        id=uuid4(),
        delivery=delivery,
        subject=delivery.subject,
        number=1,
        provider="ses",
        kind=kind,
        code="Permanent.General",
        detail=f"550 {EMAIL}: no such mailbox",
        occurred_at=timezone.now(),
        moved_to=kind if kind in ("bounced", "complained") else "",
    )


def make_failed_task(event: Event, task: UUID, *, status: str = "FAILURE") -> TaskResult:
    """As django-celery-results stores it: exception and argument as JSON in texts."""
    return TaskResult.objects.store_result(
        content_type="application/json",
        content_encoding="utf-8",
        task_id=str(task),
        result=json.dumps({"exc_type": "PermanentError", "exc_message": [f"refused: {EMAIL}", ""]}),
        status=status,
        traceback=f"Traceback (most recent call last):\nPermanentError: {EMAIL} {PHONE}",
        task_name="notifications.email",
        task_args=json.dumps(envelope.write(event.envelope())),
        task_kwargs=None,
        worker="worker-1@host",
    )


def make_everything() -> list[Model]:
    """At least one row per model and state; returns every row that has a page."""
    rows: list[Model] = []
    for number, state in enumerate(Delivery.State.values, start=1):
        event = make_event(number)
        delivery = make_delivery(event, state=state, channel=CHANNELS[number % len(CHANNELS)])
        outcome = Attempt.Outcome.values[number % len(Attempt.Outcome.values)]
        attempt = make_attempt(delivery, outcome=outcome)
        assert attempt.task_id is not None
        rows += [event, delivery, make_failed_task(event, attempt.task_id)]
    for kind in Receipt.Kind.values:
        rows.append(make_receipt(delivery, kind=kind))
    event = make_event(99)
    for outcome in Handled.Outcome.values:
        rows.append(
            Handled.objects.create(
                consumer=f"consumer-{outcome}",
                event_id=event.pk,
                event_type=event.type,
                event_time=event.time,
                subject=event.subject,
                outcome=outcome,
                last_error=f"KeyError: {EMAIL}",
            )
        )
    for state in Dispatch.State.values:
        rows.append(
            Dispatch.objects.create(
                event=event,
                subject=event.subject,
                kind=Dispatch.Kind.QUEUE,
                destination="email-bulk",
                state=state,
                body=f'{{"to": "{EMAIL}"}}',
                last_error=f"refused {PHONE}",
                published_at=timezone.now() if state == "published" else None,
            )
        )
    bodies = [
        envelope.write(event.envelope()).encode(),
        b"\xff\xfe\x00<script>alert(1)</script> %s" % EMAIL.encode(),
        b'{"to": "%s", "lone": "\\ud800", "nested": [1, {"a": null}]}' % PHONE.encode(),
        b"[" * 100_000,
    ]
    for number, body in enumerate(bodies):
        rows.append(
            DeadLetter.objects.create(
                queue="email",
                message_id=f"message-{number}",
                body=body,
                attributes={"reason": EMAIL},
                event_id=event.pk,
                subject=event.subject,
                reason="not_an_event",
                error=f"no such mailbox: {EMAIL}",
                fingerprint=f"fingerprint-{number}",
                state=DeadLetter.State.values[number % len(DeadLetter.State.values)],
            )
        )
    for state in ScheduledEvent.State.values:
        rows.append(
            ScheduledEvent.objects.create(
                event_type=event.type,
                version=1,
                subject=event.subject,
                key=state,
                data={"order_id": 1},
                due_at=timezone.now(),
                look_at=timezone.now(),
                state=state,
                error=f"refused {EMAIL}",
            )
        )
    for state in Breaker.State.values:
        account = f"account-{state}"
        rows.append(Breaker.objects.create(account=account, state=state, last_error=f"no {EMAIL}"))
    for account, override in {"email": 14.0, "sms": inf, "push": None}.items():
        rows.append(RateLimit.objects.create(account=account, declared=5, override=override))
    for resumed_at in (None, timezone.now()):
        rows.append(Pause.objects.create(kind="queue", name="email", resumed_at=resumed_at))
    for wanted in (True, False):
        said = {"person": "customer/42", "channel": CHANNELS[wanted], "wanted": wanted}
        rows.append(Preference.objects.create(category="news", **said))
        rows.append(Consent.objects.create(category="news", source="page", **said))
    for reason in Suppression.Reason.values:
        suppressed = {"channel": "email", "reason": reason, "address_hash": address_hash(EMAIL)}
        rows.append(Suppression.objects.create(**suppressed, delivery=delivery))
    told = {each: make_delivery(event, recipient=f"customer/{each}") for each in JobItem.Outcome}
    for state in Job.State.values:
        job = Job.objects.create(
            kind="resend",
            state=state,
            filter={"delivery": [str(delivery.pk)]},
            actor="mira",
            reason=f"for {EMAIL}",
            rate=10,
            counts={"refused": 1},
        )
        job.write(f"begun for {EMAIL}", by="mira")
        JobItem.objects.bulk_create(
            JobItem(
                job=job,
                delivery=about,
                event_id=about.event_id,
                subject=about.subject,
                outcome=outcome,
                why=f"no such mailbox: {EMAIL}",
            )
            for outcome, about in told.items()
        )
        rows.append(job)
    for state in WorkerProcess.State.values:
        rows.append(
            WorkerProcess.objects.create(
                name=f"{state}@host",
                host="host",
                pid=7,
                pool="threads",
                state=state,
                queues=[{"name": "email", "last_poll": 2.5, "under_way": 1, "held_by": ""}],
                trouble=f"refused: {EMAIL}",
            )
        )
    for state in WebhookEndpoint.State.values:
        rows.append(
            WebhookEndpoint.objects.create(
                name=f"partner-{state}",
                url=f"https://hooks.partner.example/{TOKEN}",
                secret=TOKEN,
                state=state,
                last_error=f"http_503: no {EMAIL}",
                created_by="mira",
            )
        )
    for door in AuditEntry.Door:
        with audit.through(door):
            changed = {"before": {"state": "open"}, "after": {"state": "done", "ids": [1, 2]}}
            audit.record("delivery.x", by="mira", target=delivery, reason=f"for {EMAIL}", **changed)
        rows.append(AuditEntry.objects.latest("id"))
    rows.append(make_failed_task(event, uuid4(), status="RETRY"))
    rows.append(
        GroupResult.objects.create(
            group_id="group-1", content_type="application/json", content_encoding="utf-8"
        )
    )
    return rows


def _key(permission: Permission) -> tuple[str, str]:
    return permission.content_type.app_label, permission.codename


def _name(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
