"""Whatever happens in whatever order, a delivery moves along legal edges only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from notifications.conf import Route
from notifications.models import Attempt, Delivery
from notifications.models.claim import Claim, ClaimOutcome
from notifications.models.conclusion import Conclusion
from tests.integration.letters import ANN, letter

S = Delivery.State

LEGAL = {
    (S.PENDING, S.SENDING),
    (S.SENDING, S.SENT),
    (S.SENDING, S.SKIPPED),
    (S.SENDING, S.FAILED),
    (S.SENDING, S.RETRYING),
    (S.SENDING, S.UNKNOWN),
    (S.RETRYING, S.SENDING),
    (S.UNKNOWN, S.SENDING),
    (S.UNKNOWN, S.SENT),
    (S.UNKNOWN, S.SKIPPED),
    (S.UNKNOWN, S.FAILED),
    (S.UNKNOWN, S.RETRYING),
}


class DeliveryStates(RuleBasedStateMachine):
    """Several workers, each with whatever claim it got last, living or long dead."""

    def __init__(self) -> None:
        super().__init__()
        self.event = letter()
        self.claims: list[Claim] = []
        self.before: Delivery | None = None

    def row(self) -> Delivery | None:
        return Delivery.objects.filter(event_id=self.event.id).first()

    @rule()
    def claim(self) -> None:
        before = self.row()
        claim = Delivery.objects.claim(
            self.event,
            channel="email",
            route=Route("email"),
            recipient=ANN,
            lease=timedelta(minutes=1),
        )
        if claim.outcome is ClaimOutcome.CLAIMED:
            assert before is None or before.state in {S.RETRYING, S.UNKNOWN}
            self.claims.append(claim)
        elif claim.outcome is ClaimOutcome.LAPSED:
            _conclude(claim, S.UNKNOWN, retry_in=0, lapsed=True)
        else:
            assert self.row() == before

    @rule()
    def time_passes(self) -> None:
        Delivery.objects.filter(event_id=self.event.id, state=S.SENDING).update(lease_until=Now())
        Delivery.objects.filter(event_id=self.event.id, next_try_at__isnull=False).update(
            next_try_at=Now()
        )

    @rule(
        data=st.data(),
        verb=st.sampled_from(
            ["sent", "skipped", "failed", "retrying", "unknown", "reopen", "free"]
        ),
    )
    def report(self, data: st.DataObject, verb: str) -> None:
        if not self.claims:
            return
        claim = data.draw(st.sampled_from(self.claims))
        before = self.row()
        assert before is not None
        moved = _report(claim, verb)
        if moved:
            assert before.token == claim.token
        else:
            after = self.row()
            assert after is not None
            assert (after.state, after.attempts) == (before.state, before.attempts)

    @invariant()
    def only_legal_edges_were_taken(self) -> None:
        row, before = self.row(), self.before
        if row and before and row.state != before.state:
            # One rule may pass through `sending` (a claim that lapses at once does not).
            assert (S(before.state), S(row.state)) in LEGAL
        if before and before.state in Delivery.TERMINAL:
            assert row is not None
            assert row.state == before.state
        self.before = row

    @invariant()
    def a_lease_is_held_while_sending_and_only_then(self) -> None:
        row = self.row()
        if row:
            assert (row.lease_until is not None) == (row.state == S.SENDING)
            assert (row.finished_at is not None) == (row.state in Delivery.TERMINAL)

    @invariant()
    def every_attempt_is_on_record(self) -> None:
        row = self.row()
        if row:
            assert Attempt.objects.filter(delivery=row).count() == row.attempts


def _report(claim: Claim, verb: str) -> bool:
    deliveries = Delivery.objects.all()
    match verb:
        case "reopen":
            return deliveries.reopen_unknown(claim, seconds=0, error="")
        case "free":
            released = deliveries.release(claim)
            if released:
                Attempt.objects.forget(claim)
            return released
        case "retrying":
            return _conclude(claim, S.RETRYING, retry_in=0)
        case _:
            return _conclude(claim, S(verb))


def _conclude(claim: Claim, state: Delivery.State, **details: Any) -> bool:
    return Delivery.objects.conclude(Conclusion(claim=claim, state=state, outcome=state, **details))


@pytest.mark.django_db
def test_a_delivery_moves_along_legal_edges_only() -> None:
    def machine() -> Any:
        return DeliveryStates()

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_what_an_operator_discarded_takes_no_result() -> None:
    with transaction.atomic():
        claim = Delivery.objects.claim(
            letter(), channel="email", route=Route("email"), recipient=ANN, lease=timedelta(1)
        )
    Delivery.objects.update(state=S.DISCARDED, attempts=F("attempts"))

    assert not any(_report(claim, verb) for verb in ("sent", "failed", "retrying", "unknown"))
