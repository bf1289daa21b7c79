"""Every event is kept once, and what no figure can be made of is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.models import Handled
from orders_site.analytics.consumers import record
from orders_site.analytics.models import RecordedEvent
from tests.integration.letters import letter
from tests.shop import an_order
from tests.stock import event_of

pytestmark = pytest.mark.django_db


def of(type: str, **data: Any) -> Envelope:
    return replace(letter(), type=type, data={"order_id": 7, **data})


@pytest.mark.S2
def test_an_event_is_kept_once_with_what_it_says_of_money() -> None:
    order = an_order()
    event = event_of(order)

    record(event)
    record(event)

    kept = RecordedEvent.objects.get()
    assert (kept.event_id, kept.type, kept.time) == (event.id, "order.created", event.time)
    assert (kept.subject, kept.amount_minor, kept.currency) == (f"order/{order.pk}", 4990, "EUR")
    assert Handled.objects.get(consumer="analytics").outcome == Handled.Outcome.DONE


def test_one_that_says_nothing_of_money_is_kept_without() -> None:
    record(of("order.created"))
    record(of("order.shipped"))
    record(of("order.refunded", amount_minor=None, currency=None))
    assert {(row.amount_minor, row.currency) for row in RecordedEvent.objects.all()} == {(None, "")}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            of("order.created", total_minor=1, currency="XTS"),
            "unusable_amount: currency: 'XTS' is not one of AUD, CHF,",
        ),
        (
            of("payment.completed", amount_minor=10**13, currency="EUR"),
            "unusable_amount: amount_minor: must be 0 to 1000000000000 minor units",
        ),
        (
            of("order.created", total_minor=1, currency=None),
            "unusable_amount: currency: missing beside total_minor",
        ),
    ],
)
def test_an_amount_that_it_cannot_use_leaves_nothing_and_names_the_field(
    event: Envelope, said: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        record(event)
    assert str(refused.value).startswith(said)
    assert not RecordedEvent.objects.exists()
    assert not Handled.objects.exists()
