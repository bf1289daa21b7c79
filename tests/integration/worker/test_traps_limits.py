"""What a limit holds back, by its number in docs/traps.md."""

from __future__ import annotations

import pytest

from notifications.local.providers.client import SandboxClient
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.trap(14)
def test_what_a_limit_holds_back_waits_in_sqs_and_keeps_no_other_queue_of_the_worker_waiting(
    worker: Start, sandbox: SandboxClient
) -> None:
    orders = mails.send_many(30)
    [pushed] = mails.orders(1)
    held_back = worker("email", "push", EMAIL_RATE_LIMIT="2/s", SQS_WAIT_SECONDS="1")
    wait_for(lambda: len(sandbox.accepted("email")) >= 4, within=20)
    _, hidden = mails.counts()
    assert hidden <= 3, "what has its turn within the next half second, or is deleted just now"

    mails.send(pushed, queue="push")
    wait_for(lambda: mails.counts("push") == (0, 0), within=5)

    held_back.terminate()
    held_back.wait(within=30)
    receives = mails.receives()
    assert len(receives) == len(orders) - len(sandbox.accepted("email"))
    assert receives.count(0) >= len(receives) - 1, "but for what a stop may have given back"
