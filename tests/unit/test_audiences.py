"""Audiences: named querysets, and what is said at start-up of one that cannot be announced to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications import audiences
from notifications.audiences import Audience, audience, register
from notifications.checks.audiences import check_audiences
from notifications.models import Event
from orders_site.customers.models import Customer


def one(row: Any) -> str:
    return f"customer/{row.pk}"


def facts(row: Any) -> dict[str, Any]:
    return {"customer_id": row.pk}


@pytest.fixture
def name() -> Iterator[str]:
    yield "some"
    audiences.unregister("some")


def test_the_shops_audiences_are_found_and_nothing_is_wrong_with_them() -> None:
    assert [each.name for each in audiences.all_audiences()] == ["customers", "newsletter"]
    assert list(check_audiences()) == []


def test_one_name_for_two_audiences_is_refused(name: str) -> None:
    @audience(name, person=one, data=facts)
    def first() -> Any:
        return Customer.objects.all()

    with pytest.raises(ImproperlyConfigured, match="registered twice"):
        register(Audience(name, Customer.objects.all, one, facts))
    with pytest.raises(ImproperlyConfigured, match="use 1 to 40 of"):
        register(Audience("Some people", Customer.objects.all, one, facts))


@pytest.mark.parametrize(
    ("given", "id", "said"),
    [
        ({"queryset": lambda: Customer.objects.all()[:10]}, "E051", "is sliced"),
        ({"queryset": lambda: [1, 2]}, "E051", "is a list"),
        ({"queryset": lambda: 1 / 0}, "E051", "raises ZeroDivisionError"),
        ({"person": lambda: "customer/1"}, "E052", "cannot ask person"),
        ({"data": "customer_id"}, "E052", "cannot ask data"),
        ({"queryset": Event.objects.all}, "I053", "no order of time"),
    ],
)
def test_what_cannot_be_announced_to_is_said_at_start_up(
    name: str, given: dict[str, Any], id: str, said: str
) -> None:
    wanted: dict[str, Any] = {"queryset": Customer.objects.all, "person": one, "data": facts}
    register(Audience(name, **(wanted | given)))
    [message] = check_audiences()
    assert message.id == f"notifications.{id}"
    assert said in message.msg
