"""The inbox of a service consumer: what an event asks for is done once, and is known to be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import router, transaction

from notifications.envelope import Envelope
from notifications.models import Handled


@contextmanager
def once(consumer: str, envelope: Envelope) -> Iterator[bool]:
    """One transaction in which `consumer` does what the event asks for, and says that it did.

        with inbox.once("inventory", envelope) as to_do:
            if to_do:
                reserve(...)

    False where it was done before, whatever brought the event again; nothing is to be done then.
    Of two at once the second waits for the first, and does it if that one failed. An effect
    outside the database is had before: it cannot be undone with the transaction.
    """
    using = router.db_for_write(Handled)
    with transaction.atomic(using=using):
        yield Handled.objects.using(using).enter(consumer, envelope)
