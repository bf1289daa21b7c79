"""What mends is killed in the middle and run again: nothing twice, nothing missed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from notifications.local.processes import Process
from notifications.local.providers.client import SandboxClient
from notifications.models import DeadLetter, Delivery, Dispatch, Job, JobItem
from notifications.work import Outcome
from orders_site.orders.models import Order
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 24
KILLED_IN = 10
"""The item, counted from 0, in whose transaction a process is killed."""

AND_IN = 18
"""And once more, where the stages of a redrive might be lost."""

SLOWLY, QUICKLY = "1", "500"
"""Items a second: so that the first process is killed long before its end; and for the others."""


@pytest.fixture
def command(start: Start) -> Callable[..., Process]:
    """`command("resend", "--order", "1")`: started, and as far as having its job."""

    def command(*words: str) -> Process:
        return start([sys.executable, "manage.py", *words], name=words[0], ready="a second at most")

    return command


def begun(job: int) -> int:
    return JobItem.objects.filter(job=job).exclude(outcome=Outcome.WAITING).count()


def killed(command: Callable[..., Process], *words: str, within: tuple[int, ...]) -> int:
    """Run it, kill it, go on with it, kill that, and so on; its job, which is left there.

    Between two items the first time, then with all done for one and nothing committed of it.
    """
    running = command(*words, "--rate", SLOWLY)
    job = Job.objects.latest("id").pk
    wait_for(lambda: begun(job), within=30, what="its first item")
    running.kill()
    for number in within:
        killed_within_an_item(command, words[0], job, number)
    assert begun(job) == within[-1]
    assert Job.objects.get(pk=job).state == Job.State.RUNNING
    return job


def killed_within_an_item(
    command: Callable[..., Process], name: str, job: int, number: int
) -> None:
    """The item's row, the last that its transaction writes, is held until the process is dead."""
    with transaction.atomic():
        item = JobItem.objects.filter(job=job).order_by("id")[number]
        JobItem.objects.select_for_update().get(pk=item.pk)
        running = command(name, "--job", str(job), "--rate", QUICKLY)
        wait_for(is_waited_for, within=60, what=f"item {number} to be written")
        assert begun(job) == number
        running.kill()


def is_waited_for() -> bool:
    """Whether somebody waits for the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks "
            "WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
        )
        (waiting,) = cursor.fetchone()
    return bool(waiting)


def are_open(count: int) -> bool:
    """Whether the relay has brought so many dead letters here, and all of them are open."""
    return DeadLetter.objects.filter(state=DeadLetter.State.OPEN).count() == count


def told_to(sandbox: SandboxClient) -> Counter[str]:
    """How often each order was mailed about."""
    return Counter(message.subject for message in sandbox.accepted("email"))


def all_sent(orders: list[Order], sandbox: SandboxClient, *, times: int) -> bool:
    """Whether every mail was accepted so often; none more often, and all work is done."""
    at_rest = not Delivery.objects.exclude(state=Delivery.State.SENT).exists()
    published = not Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).exists()
    wanted = {f"order/{order.pk}": times for order in orders}
    return at_rest and published and told_to(sandbox) == wanted and mails.counts() == (0, 0)


def test_a_resend_that_is_killed_sends_each_once_more(
    environment: dict[str, str],
    relay: Start,
    worker: Start,
    command: Callable[..., Process],
    manage: Callable[..., str],
    sandbox: SandboxClient,
) -> None:
    orders = mails.orders(COUNT)
    relay()
    worker("email")
    wait_for(lambda: all_sent(orders, sandbox, times=1), within=60, what="all to be sent")

    words = ("resend", "--state", "sent", "--channel", "email", "--reason", "lost at their host")
    job = killed(command, *words, within=(KILLED_IN,))
    ended: dict[str, Any] = json.loads(
        manage("resend", "--job", str(job), "--rate", QUICKLY, "--json")
    )

    assert (ended["state"], ended["counts"]) == ("done", {"dispatched": COUNT})
    wait_for(lambda: all_sent(orders, sandbox, times=2), within=60, what="each to be sent again")
    wait_for(lambda: mails.counts("email-bulk") == (0, 0), within=30)
    assert all_sent(orders, sandbox, times=2)
    assert set(Delivery.objects.values_list("generation", "attempts")) == {(1, 1)}


@pytest.mark.S1
def test_a_redrive_stops_when_a_stage_fails_again_and_killed_or_not_sends_each_once(
    environment: dict[str, str],
    relay: Start,
    worker: Start,
    command: Callable[..., Process],
    manage: Callable[..., str],
    sandbox: SandboxClient,
) -> None:
    sandbox.script("email", "refuse", code="MessageRejected", times=COUNT + 1)
    orders = mails.orders(COUNT)
    relay()
    worker("email")
    wait_for(lambda: are_open(COUNT), within=60, what="all to be refused")

    unmended = command("redrive", "--queue", "email", "--reason", "mended, we think")
    assert unmended.wait(within=30) == 3
    stopped = Job.objects.get()
    assert (stopped.state, stopped.counts["failed"]) == (Job.State.STOPPED, 1)
    assert "stage 1 failed again" in unmended.log
    wait_for(lambda: are_open(COUNT), within=30, what="the one to come back")
    assert not sandbox.accepted("email")
    assert Dispatch.objects.filter(reason=Dispatch.Reason.REDRIVEN).count() == 1

    manage("jobs", "cancel", str(stopped.pk), "--reason", "the other half is mended too")
    mended = ("redrive", "--queue", "email", "--reason", "mended")
    job = killed(command, *mended, within=(KILLED_IN, AND_IN))
    ended = json.loads(manage("redrive", "--job", str(job), "--rate", QUICKLY, "--json"))

    assert (ended["state"], ended["counts"]) == ("done", {"done": COUNT})
    assert all_sent(orders, sandbox, times=1)
    assert not DeadLetter.objects.filter(state=DeadLetter.State.OPEN).exists()
    assert mails.counts("email-bulk") == (0, 0)


def test_a_replay_that_is_killed_tells_once_whom_nobody_told_and_nobody_twice(
    environment: dict[str, str],
    relay: Start,
    worker: Start,
    command: Callable[..., Process],
    manage: Callable[..., str],
    sandbox: SandboxClient,
) -> None:
    """Half of the messages were lost with their queue."""
    orders = mails.orders(COUNT)
    Dispatch.objects.update(state=Dispatch.State.PUBLISHED)
    for order in orders[: COUNT // 2]:
        mails.send(order)
    relay()
    worker("email")
    wait_for(lambda: len(sandbox.accepted("email")) == COUNT // 2, within=60)

    words = ("replay", "email", "--since", "1h", "--reason", "it was purged")
    job = killed(command, *words, within=(KILLED_IN,))
    ended = json.loads(manage("replay", "--job", str(job), "--rate", QUICKLY, "--json"))

    assert (ended["state"], ended["counts"]) == ("done", {"dispatched": COUNT})
    wait_for(lambda: all_sent(orders, sandbox, times=1), within=60, what="the others to be sent")
    wait_for(lambda: mails.counts("email-bulk") == (0, 0), within=30)
    assert all_sent(orders, sandbox, times=1)
