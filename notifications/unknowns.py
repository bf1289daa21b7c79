"""Unknown deliveries, and the operator who settles what neither receipt nor retry did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import router, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audit, fallbacks
from notifications.models import Delivery
from notifications.redaction import redact

SETTLED_AS = (Delivery.State.SENT, Delivery.State.FAILED)

_WHY_NOT = {
    Delivery.State.PENDING: _("nothing has been sent yet"),
    Delivery.State.SENDING: _(
        "its sender holds it, or died and is found out when the message comes again: look again "
        "in a minute"
    ),
    Delivery.State.RETRYING: _("it was not sent, and is tried again by itself"),
}


@dataclass(frozen=True)
class Answer:
    """What became of one delivery that an operator named. why_not: empty when it was settled."""

    delivery_id: UUID
    was: str
    why_not: str = ""


def settle(
    ids: Iterable[UUID],
    state: Delivery.State,
    *,
    by: str,
    reason: str,
    dry_run: bool = False,
) -> list[Answer]:
    """Settle those of these deliveries that are unknown; one answer for each, in order.

    `state`: sent or failed, as the operator found out. `by` and `reason` stand on the row. A
    retry that was ahead is stopped: its message finds a last state.
    """
    wanted = list(dict.fromkeys(ids))
    using = router.db_for_write(Delivery)
    with transaction.atomic(using=using):
        named = Delivery.objects.using(using).filter(pk__in=wanted)
        held = named.locked().values_list("pk", "state", "subject")
        states = {pk: state for pk, state, _subject in held}
        answers = [_answer(pk, states.get(pk)) for pk in wanted]
        unknown = [answer.delivery_id for answer in answers if not answer.why_not]
        if not dry_run:
            note = redact(f"Settled as {state} by {by}: {reason}")
            named.filter(pk__in=unknown).settle_by_operator(state, note=note)
            if state is Delivery.State.FAILED:
                fallbacks.came_back(unknown, using=using)
            settled = set(unknown)
            audit.record_many(
                "delivery.settle",
                [(pk, subject) for pk, _state, subject in held if pk in settled],
                of=Delivery,
                by=by,
                reason=reason,
                before={"state": Delivery.State.UNKNOWN},
                after={"state": state},
            )
    return answers


def _answer(delivery_id: UUID, state: str | None) -> Answer:
    if state is None:
        return Answer(delivery_id, "", gettext("there is no such delivery"))
    known = Delivery.State(state)
    if known is Delivery.State.UNKNOWN:
        return Answer(delivery_id, state)
    return Answer(delivery_id, state, str(_WHY_NOT.get(known, _("that is a last state"))))
