"""A paused queue in a running worker, which has a long poll open: left alone, then polled again."""

from __future__ import annotations

from functools import partial

import pytest
from django.utils import timezone

from notifications import pauses
from notifications.local.providers.client import SandboxClient
from notifications.models import Pause
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

LONG_POLL = {"SQS_WAIT_SECONDS": "20"}


@pytest.mark.trap(21)
def test_a_pause_and_its_end_are_obeyed_within_seconds_while_a_long_poll_is_open(
    worker: Start, sandbox: SandboxClient
) -> None:
    worker("email", **LONG_POLL)
    for kind, queue in ((Pause.Kind.QUEUE, "email"), (Pause.Kind.CHANNEL, "email-bulk")):
        before, held = mails.orders(2)
        sent = sandbox.requests("email")
        mails.send(before, queue=queue)
        wait_for(lambda: sandbox.requests("email") == sent + 1, what="a mail before the pause")  # noqa: B023

        pauses.pause(kind, "email", by="ada", reason="the account moves")
        wait_for(partial(mails.is_known_by_now, kind, "email"), what="the age of switches")
        sent_at = timezone.now()
        mails.send(held, queue=queue)

        wait_for(lambda: (timezone.now() - sent_at).total_seconds() > 2, what="two seconds")  # noqa: B023
        assert mails.counts(queue) == (1, 0), "what an open poll brought is back, and stays there"
        assert sandbox.requests("email") == sent + 1

        pauses.resume(kind, "email", by="ada")

        wait_for(lambda: sandbox.requests("email") == sent + 2, within=5, what="what was held")  # noqa: B023
        wait_for(lambda: mails.counts(queue) == (0, 0))  # noqa: B023


def test_a_pause_of_the_fresh_queue_leaves_its_bulk_queue_alone(
    worker: Start, sandbox: SandboxClient
) -> None:
    fresh, replayed = mails.orders(2)
    pauses.pause(Pause.Kind.QUEUE, "email", by="ada", reason="the account moves")
    mails.send(fresh)
    mails.send(replayed, queue="email-bulk")

    worker("email", SQS_WAIT_SECONDS="1")

    wait_for(lambda: mails.counts("email-bulk") == (0, 0))
    assert [mail.subject for mail in sandbox.accepted("email")] == [f"order/{replayed.pk}"]
    assert mails.counts() == (1, 0)
    assert mails.receives() == [0], "it was never received"
