"""The demo's judge of money must find what was charged twice, given back twice, or not settled."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifications.local.providers.client import Charge
from orders_site.demo.till import Till, count


def charge(subject: str = "order/1", amount: int = 500, refunded: int = 0, **given: str) -> Charge:
    return Charge(
        id="ch_1",
        key="charge-1",
        reference=subject,
        amount=amount,
        currency="EUR",
        refunded=refunded,
        status=given.get("status", "succeeded"),
        code="",
        created_at=datetime.now(UTC),
    )


@pytest.fixture
def till() -> Till:
    """One order, of 5 euros."""
    till = Till()
    till.sell("order/1", 500)
    return till


def test_an_order_that_was_charged_once_is_good(till):
    takings = count(till, [charge(), charge("order/of-another-run")])
    assert takings.good
    assert takings.as_json == {"charged": 1, "refunded": 0, "doubled": 0, "unsettled": 0}


def test_an_order_that_was_not_charged_or_only_declined_is_not_settled(till):
    assert count(till, []).unsettled == ("order/1",)
    assert count(till, [charge(status="declined")]).unsettled == ("order/1",)


def test_an_order_that_was_charged_twice_is_doubled(till):
    assert count(till, [charge(), charge()]).doubled == ("order/1",)


def test_more_given_back_than_was_paid_is_doubled(till):
    till.call_off("order/1")
    assert count(till, [charge(refunded=501)]).doubled == ("order/1",)


def test_what_was_given_back_must_have_gone_back_once(till):
    till.give_back("order/1", 200)
    assert count(till, [charge()]).unsettled == ("order/1",)
    assert count(till, [charge(refunded=200)]).good
    assert count(till, [charge(refunded=400)]).unsettled == ("order/1",)


def test_a_cancelled_order_is_not_charged_or_all_of_it_goes_back(till):
    till.call_off("order/1")
    assert count(till, []).good
    assert count(till, [charge(refunded=500)]).good
    assert count(till, [charge(refunded=499)]).unsettled == ("order/1",)
