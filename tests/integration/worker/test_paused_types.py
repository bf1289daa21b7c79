"""A paused event type in a running worker: its messages wait in the outbox, the others go on."""

from __future__ import annotations

import pytest

from notifications import pauses
from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Dispatch, Pause
from orders_site.orders.services import cancel_order
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

CREATED = (Pause.Kind.EVENT_TYPE, "order.created")


def types_told(sandbox: SandboxClient) -> list[str]:
    return [mail.event_type for mail in sandbox.accepted("email")]


def test_a_paused_type_waits_in_the_outbox_while_the_others_of_its_queue_go_on(
    worker: Start, relay: Start, sandbox: SandboxClient
) -> None:
    held, other = mails.orders(2)
    cancel_order(order=other, reason="customer_request")
    Dispatch.objects.all().delete()  # what the test sends itself needs no relay
    pauses.pause(*CREATED, by="ada", reason="wrong template")

    mails.send(held)
    mails.send(other, "order.cancelled")
    worker("email", SQS_WAIT_SECONDS="1")
    wait_for(lambda: types_told(sandbox) == ["order.cancelled"], what="the other type")
    wait_for(lambda: mails.counts() == (0, 0), what="the queue to be empty")

    dispatch = Dispatch.objects.get()
    assert dispatch.event is not None
    assert (dispatch.reason, dispatch.destination) == (Dispatch.Reason.PAUSED, "email")
    assert dispatch.event.subject == f"order/{held.pk}"
    assert Attempt.objects.filter(subject=f"order/{held.pk}").count() == 0

    relay()
    pauses.resume(*CREATED, by="ada")

    wait_for(lambda: len(types_told(sandbox)) == 2, what="the resumed type")
    assert Attempt.objects.get(subject=f"order/{held.pk}").number == 1
    wait_for(lambda: mails.counts() == (0, 0))


def test_a_running_worker_puts_off_a_type_within_seconds_of_its_pause(
    worker: Start, sandbox: SandboxClient
) -> None:
    before, after = mails.orders(2)
    worker("email", SQS_WAIT_SECONDS="20")
    mails.send(before)
    wait_for(lambda: len(types_told(sandbox)) == 1, what="a mail from before the pause")

    pauses.pause(*CREATED, by="ada", reason="wrong template")
    wait_for(lambda: mails.is_known_by_now(*CREATED), what="the age of a worker's switches")
    mails.send(after)

    wait_for(lambda: pauses.waiting("order.created") == 1, within=5)
    wait_for(lambda: mails.counts() == (0, 0))
    assert len(types_told(sandbox)) == 1
