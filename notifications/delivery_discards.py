"""Deliveries that are not to be told any more, because an operator says so.

What waits, is tried again, failed, or is unknown comes to rest as discarded. Its message, or the
dispatch that would bring it, finds a last state and does nothing; a redrive of its dead letter
leaves it alone; only a resend opens it again. What would be told with others in a digest is left
out of it, and what a discarded digest would have told is discarded with it. Of a fallback, the next
channel comes as it does after any that was tried in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit
from notifications.models import Delivery, DigestWindow
from notifications.unknowns import Answer

CHUNK = 1000
"""Ids of one transaction."""

State = Delivery.State


def discard(ids: Iterable[UUID], *, by: str, reason: str, dry_run: bool = False) -> list[Answer]:
    """Discard those of these deliveries that may be; one answer for each, in order.

    `by` and `reason` are kept in the audit, where each has an entry of its own.
    """
    wanted = list(dict.fromkeys(ids))
    chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
    return [
        answer
        for chunk in chunks
        for answer in _discard_some(chunk, by=by, reason=reason, dry_run=dry_run)
    ]


def why_not(state: str | None) -> str:
    """Why one in this state (None: there is none) may not be discarded; empty when it may."""
    if state is None:
        return gettext("there is no such delivery")
    if state == State.SENDING:
        return gettext(
            "its sender holds it, or died and is found out when the message comes again: look "
            "again in a minute"
        )
    return "" if state in Delivery.DISCARDABLE else gettext("that is a last state")


def _discard_some(ids: list[UUID], *, by: str, reason: str, dry_run: bool) -> list[Answer]:
    using = router.db_for_write(Delivery)
    with transaction.atomic(using=using):
        named = Delivery.objects.using(using).filter(pk__in=ids)
        if not dry_run:
            # Before the deliveries are locked: whoever settles a digest takes them in this order.
            # An open window would keep what was collected in it waiting for a digest that is over.
            digests = named.filter(state__in=Delivery.DISCARDABLE).values("event_id")
            DigestWindow.objects.using(using).filter(pk__in=digests).close()
        found = {row.pk: row for row in named.locked().only("pk", "state", "subject")}
        states = {pk: row.state for pk, row in found.items()}
        answers = [Answer(pk, states.get(pk, ""), why_not(states.get(pk))) for pk in ids]
        moved = [answer for answer in answers if not answer.why_not]
        if not dry_run:
            for answer in moved:
                audit.record(
                    "delivery.discard",
                    by=by,
                    reason=reason,
                    target=found[answer.delivery_id],
                    before={"state": answer.was},
                    after={"state": State.DISCARDED.value},
                    using=using,
                )
            named.filter(pk__in=[answer.delivery_id for answer in moved]).discard()
    return answers
