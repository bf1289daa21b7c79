"""A redrive of what a worker is doing at that moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from notifications import inbox
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.models import DeadLetter, Dispatch, Handled
from tests.integration import ledger
from tests.integration.test_redrive import buried, only_item
from tests.integration.test_resend import recorded
from tests.integration.together import waiting_for_locks
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("town")]


class Copy:
    """A copy of the message, of which the ledger is at the event until it may `commit`."""

    def __init__(self, event: Envelope) -> None:
        self._event = event
        self.entered, self.commit = threading.Event(), threading.Event()

    def __call__(self) -> bool:
        """Whether it did the event."""
        try:
            with inbox.once(ledger.NAME, self._event) as to_do:
                self.entered.set()
                assert self.commit.wait(20)
                return to_do
        finally:
            connection.close()


def redriven() -> tuple[str, str]:
    try:
        return only_item()
    finally:
        connection.close()


def test_what_a_copy_does_while_its_letter_is_redriven_is_not_done_again() -> None:
    event = recorded()
    Handled.objects.mark_failed(ledger.NAME, event, PermanentError("no", "no"), uncounted=1)
    buried(event, queue=ledger.NAME)
    copy = Copy(event)
    with ledger.registered(), ThreadPoolExecutor(2) as pool:
        done = pool.submit(copy)
        assert copy.entered.wait(20)
        letter = pool.submit(redriven)
        wait_for(waiting_for_locks, within=20)
        copy.commit.set()
        assert done.result()
        assert letter.result() == ("left_alone", "ledger has done it already")

    assert Handled.objects.is_done(ledger.NAME, event.id)
    assert DeadLetter.objects.get().state == "open"
    assert not Dispatch.objects.exists()
