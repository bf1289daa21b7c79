"""`manage.py place_orders` and the samples it draws from."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import phonenumbers
import pytest
from django.core.management import CommandError, call_command

from notifications.models import Event
from orders_site.customers.models import Customer
from orders_site.orders.models import Order, OrderLine
from orders_site.orders.samples import Samples

pytestmark = pytest.mark.django_db


def place_orders(*arguments: str) -> str:
    out = StringIO()
    call_command("place_orders", *arguments, stdout=out)
    return out.getvalue()


def what_was_bought() -> list[Any]:
    lines = OrderLine.objects.order_by("pk")
    return list(lines.values_list("order__customer__email", "sku", "quantity", "order__state"))


def test_it_places_ships_and_cancels_as_many_as_it_says() -> None:
    said = json.loads(place_orders("40", "--ship", "0.5", "--cancel", "0.25", "--json"))
    states = list(Order.objects.values_list("state", flat=True))
    assert said["orders"] == len(states) == 40
    assert said["shipped"] == states.count("shipped") > 10
    assert said["cancelled"] == states.count("cancelled") > 3
    assert said["customers"] == Customer.objects.count()
    assert sum(said["totals_minor"].values()) == sum(
        order.total_minor for order in Order.objects.all()
    )
    assert Event.objects.count() == 40 + said["shipped"] + said["cancelled"]
    assert all(1 <= order.lines.count() <= 5 for order in Order.objects.all())


def test_in_words_it_tells_how_to_do_it_again() -> None:
    said = place_orders("3", "--seed", "7")
    assert "Placed 3 orders for 1 customer in" in said
    assert "--seed 7" in said


def test_the_same_seed_buys_the_same() -> None:
    arguments = ("20", "--seed", "5", "--ship", "0.3")
    place_orders(*arguments)
    first = what_was_bought()
    Order.objects.all().delete()
    place_orders(*arguments)
    assert what_was_bought() == first
    Order.objects.all().delete()
    place_orders("20", "--seed", "6", "--ship", "0.3")
    assert what_was_bought() != first


def test_a_second_run_sells_to_the_same_customers() -> None:
    place_orders("9")
    place_orders("9")
    assert Customer.objects.count() == 3


def test_a_rate_paces_the_orders() -> None:
    assert json.loads(place_orders("4", "--rate", "20", "--json"))["seconds"] >= 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0"], "'0' is not a number from 1 to 1,000,000"),
        (["many"], "'many' is not a number"),
        (["5", "--ship", "1.5"], "'1.5' is not a number from 0 to 1"),
        (["5", "--rate", "nan"], "'nan' is not a number"),
        (["5", "--ship", "0.8", "--cancel", "0.3"], "add up to more than 1"),
    ],
)
def test_a_wrong_argument_gets_one_clear_line(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        place_orders(*arguments)


def test_sample_customers_are_believable_and_reach_nobody_real() -> None:
    customers = Samples(seed=3).customers(200)
    assert len({customer.email for customer in customers}) == 200
    assert all(customer.email.endswith("@example.org") for customer in customers)
    assert {customer.country for customer in customers} == {"DE", "GB", "US", "SE", "AU", "JP"}
    numbers = [phonenumbers.parse(customer.phone) for customer in customers if customer.phone]
    assert all(phonenumbers.is_valid_number(number) for number in numbers)
    assert 100 < len(numbers) < 200
    assert {customer.devices.count() for customer in customers} == {0, 1, 2}
    for channel in ("email", "sms", "whatsapp", "push"):
        assert {customer.agrees_to(channel) for customer in customers} == {True, False}
    for customer in customers:
        customer.full_clean(validate_unique=False)


def test_more_customers_of_a_seed_begin_with_the_same_ones() -> None:
    few = [customer.email for customer in Samples(seed=4).customers(5)]
    assert [customer.email for customer in Samples(seed=4).customers(9)][:5] == few


def test_devices_of_sample_customers_cost_no_further_query(django_assert_num_queries: Any) -> None:
    customers = Samples(seed=2).customers(20)
    with django_assert_num_queries(0):
        assert sum(len(customer.devices.all()) for customer in customers) > 0


def test_everybody_pays_in_the_currency_of_their_country() -> None:
    samples = Samples(seed=8)
    for customer in samples.customers(60):
        order = samples.place(customer)
        assert {line.sku[-2:] for line in order.lines.all()} == {customer.country}


def test_a_sample_refund_is_a_part_of_the_order_or_all_of_it_and_never_more() -> None:
    samples = Samples(seed=8)
    for customer in samples.customers(20):
        order = samples.place(customer)
        refund = samples.refund(order)
        assert refund.amount.currency == order.currency
        assert 1 <= refund.amount.amount == order.refunded_minor <= order.total_minor
