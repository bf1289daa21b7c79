"""Yesterday's database is restored, while SQS, the providers and the customers know of today."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, cast

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models.functions import Now
from psycopg import sql

from notifications import keeper
from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Restoration
from notifications.relay import Relay
from orders_site.orders.models import Order
from orders_site.payments.models import Payment
from tests.conftest import Start
from tests.queues import depth
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

QUEUES = ("email", "email-bulk", "payments", "push", "push-bulk")

Told = Counter[tuple[str, str, str]]


class Backup:
    """A copy of the test's database beside it, that takes its place."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._name = sql.Identifier(connection.settings_dict["NAME"])
        self._copy = sql.Identifier(f"{connection.settings_dict['NAME']}_backup")
        self.take()

    def take(self) -> None:
        self._execute("CREATE DATABASE {copy} TEMPLATE {name}")

    def restore(self) -> None:
        self._execute("DROP DATABASE {name} WITH (FORCE)", "ALTER DATABASE {copy} RENAME TO {name}")

    def drop(self) -> None:
        self._execute("DROP DATABASE IF EXISTS {copy}")

    def _execute(self, *statements: str) -> None:
        connections.close_all()
        cast(DatabaseWrapper, connection).close_pool()
        with psycopg.connect(self._server, autocommit=True) as server:
            for statement in statements:
                server.execute(sql.SQL(statement).format(copy=self._copy, name=self._name))


@pytest.fixture
def backup(environment: dict[str, str], stack: Stack) -> Iterator[Callable[[], Backup]]:
    taken: list[Backup] = []

    def take() -> Backup:
        taken.append(Backup(stack.environment["DATABASE_URL"]))
        return taken[-1]

    yield take
    for each in taken:
        each.drop()


def told(sandbox: SandboxClient) -> Told:
    return Counter((m.subject, m.event_type, m.channel) for m in sandbox.accepted())


def held() -> set[tuple[str, str, str]]:
    unknown = Delivery.objects.filter(state=Delivery.State.UNKNOWN, last_error__contains="restored")
    return set(unknown.values_list("subject", "event_type", "channel"))


def lost() -> Counter[tuple[str, str]]:
    letters = DeadLetter.objects.filter(reason="event_lost")
    return Counter(letters.values_list("subject", "event_type"))


def published() -> bool:
    """What is due is on its way, the dead letters are here, and so says everybody."""
    Relay(once=True).run()
    keeper.drain(using="default")
    return not Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).exists()


def nothing_lies_in(*queues: str) -> bool:
    return published() and not any(map(depth, queues))


def test_after_a_restore_nobody_is_told_or_charged_twice(
    backup: Callable[[], Backup], worker: Start, sandbox: SandboxClient
) -> None:
    # Yesterday: one order is published, and another is about to be.
    reached, caught = (an_order(customer=a_customer(devices=1)) for _ in range(2))
    first, second = (f"order/{order.pk}" for order in (reached, caught))
    Dispatch.objects.exclude(subject=first).update(state=Dispatch.State.CLAIMED)
    assert not published()
    Dispatch.objects.exclude(subject=first).update(state=Dispatch.State.WAITING)
    yesterday = backup()

    # Today: both are charged and mailed about, and so is a third. Nobody serves push.
    third = f"order/{an_order(customer=a_customer(devices=1)).pk}"
    today = worker("email", "payments")
    mails = {
        (subject, kind, "email")
        for subject in (first, second, third)
        for kind in ("order.created", "payment.completed")
    }
    wait_for(lambda: published() and set(told(sandbox)) == mails, within=30)
    wait_for(lambda: nothing_lies_in("email", "payments"), within=10)
    today.kill()

    # The database is lost. Nothing runs.
    yesterday.restore()
    assert Order.objects.count() == 2
    out = StringIO()
    call_command("restored", "--json", "--skip-ids", "1000", reason="the disk is gone", stdout=out)
    Restoration.objects.update(untouched_before=Now())  # our clock is SQS's
    sequel = json.loads(out.getvalue())["replay"]

    worker("email", "payments", "push")
    # One that was published twice may find its twin being sent, and waits out the claim (30 s).
    wait_for(lambda: nothing_lies_in(*QUEUES), within=60, what="all queues to be empty")
    for line in sequel:
        call_command(*_words(line))
    wait_for(lambda: nothing_lies_in(*QUEUES), within=60, what="the replays to be over")

    # What nobody had received is told now; nothing is told again.
    pushed = {(first, "order.created", "push"), (second, "order.created", "push")}
    assert told(sandbox) == Counter(mails | pushed)
    # What may have been told is on one list: it was, but for the pushes of what was found paid.
    assert held() == {
        (subject, kind, channel)
        for subject in (first, second)
        for kind, channel in (
            ("order.created", "email"),
            ("payment.completed", "email"),
            ("payment.completed", "push"),
        )
    }
    # Nobody is charged twice; what was, is found and known again.
    assert {charge.reference for charge in sandbox.charges()} == {first, second, third}
    assert len(sandbox.charges()) == 3
    assert set(Payment.objects.values_list("state", flat=True)) == {Payment.State.COMPLETED}
    assert Payment.objects.count() == 2
    # Of the third order is known what still lay in SQS; and so it is of the first two's payments.
    paid = {(subject, "payment.completed") for subject in (first, second, third)}
    assert set(lost()) == paid | {(third, "order.created")}
    assert Event.objects.filter(subject=third, foreign=True).count() == 2
    assert not Event.objects.filter(subject=third).exclude(expected=[]), "nobody is late with it"

    # The next order is nobody else's.
    fresh = an_order(customer=a_customer(devices=1))
    assert fresh.pk > 1000
    wait_for(lambda: published() and len(told(sandbox)) == len(mails | pushed) + 4, within=30)
    assert max(told(sandbox).values()) == 1
    assert len(sandbox.charges()) == 4


def _words(line: str) -> list[Any]:
    return [word.strip('"') for word in line.split() if word != "--relay"]
