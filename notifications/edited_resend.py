"""Edit and resend: one delivery is told its event's facts as an operator has put them right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit, digests, edits, rendering, resend
from notifications.conf import conf
from notifications.edits import Edited, Kind
from notifications.envelope import Envelope
from notifications.exceptions import UnknownEvent
from notifications.models import Delivery, Event, Job
from notifications.resend import Resend
from notifications.work import Verdict


class EditedResend(Resend):
    """A resend of the one delivery that these edits are for."""

    def __init__(self, edited: Edited) -> None:
        self._edited = edited

    def envelope(self, event: Event, delivery: Delivery) -> Envelope:
        return edits.with_data(event, self._edited.data)

    def order(self, delivery: Delivery, job: Job, *, at: datetime) -> Verdict:
        return self.reopen(delivery, job, at=at, edited=self._edited.sealed)


def why_not(delivery: Delivery) -> str:
    """Why this delivery cannot be edited, whoever asks; empty when it can."""
    if not conf().editable.get(delivery.event_type):
        return gettext('nothing of this event type may be edited (NOTIFICATIONS["EDITABLE"])')
    if why := resend.under_way(delivery.state, delivery.next_try_at):
        return why
    if not rendering.parts_of(delivery.channel):
        return gettext("a program is told the event itself, and that is not edited")
    if any(
        route.digest and (route.channel, route.name) == (delivery.channel, delivery.route)
        for route in conf().routes.get(delivery.event_type, ())
    ):
        return gettext("it is told with others in a digest")
    event = Event.objects.filter(pk=delivery.event_id).first()
    if event is None:
        return gettext("its event is kept no longer")
    try:
        kinds = edits.kinds_of(event.envelope().event_type)
    except UnknownEvent as error:
        return error.message
    if digests.is_digest(event.envelope()) or set(kinds.values()) <= {Kind.LOCKED}:
        return gettext("nothing of its event may be edited")
    return ""


def edit_and_resend(
    delivery: Delivery,
    typed: Mapping[str, str],
    *,
    by: str,
    reason: str,
    confirm: str = "",
    override: bool = False,
) -> str:
    """Resend it with these facts, by a job of one item. Why it was not; empty when it is to be.

    Raises edits.Wrong. See `edits.edit` for what is typed.
    """
    if why := why_not(delivery):
        return why
    edited = edits.edit(delivery.event, delivery, typed, confirm=confirm)
    if not edited.after:
        return gettext("nothing was changed: resend it as it is")
    using = router.db_for_write(Delivery)
    # In one transaction, so that no relay finds the job and resends what was not put right.
    with transaction.atomic(using=using):
        why = resend.resend_one(
            delivery, by=by, reason=reason, override=override, work=EditedResend(edited)
        )
        if why:
            transaction.set_rollback(True, using=using)
            return why
        audit.record(
            "delivery.edit_and_resend",
            by=by,
            reason=reason,
            target=delivery,
            before=edited.for_audit(edited.before),
            after=edited.for_audit(edited.after),
            using=using,
        )
    return ""
