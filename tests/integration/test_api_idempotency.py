"""`Idempotency-Key`: the same request again is answered alike and done once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from notifications.chores import all_chores
from notifications.models import Event
from orders_site.api import chores
from orders_site.api.models import KEPT_FOR, KeptAnswer
from orders_site.orders.models import Order
from orders_site.orders.signals import order_created
from tests.api import ORDERS, Caller, a_caller, an_order_for
from tests.integration.together import all_at_once, at_once
from tests.shop import a_customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def caller() -> Caller:
    return a_caller()


def test_the_same_request_again_is_answered_alike_and_done_once(caller: Caller) -> None:
    body = an_order_for()
    first, second = (caller.post(ORDERS, body, key="a-key") for _ in range(2))

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first["Location"] == second["Location"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == Event.objects.count() == 1


def test_how_a_body_is_spaced_and_sorted_says_nothing(caller: Caller) -> None:
    body = an_order_for()
    caller.post(ORDERS, body, key="k")
    sku = body["lines"][0]["sku"]
    other = f'{{ "lines": [{{"quantity":2,"sku":"{sku}"}}],\n"customer":{body["customer"]} }}'
    assert caller.post(ORDERS, other.encode(), key="k")["Idempotent-Replayed"] == "true"


@pytest.mark.S2
def test_another_body_under_the_same_key_is_refused(caller: Caller) -> None:
    caller.post(ORDERS, an_order_for(), key="k")
    response = caller.post(ORDERS, an_order_for(), key="k")

    assert response.status_code == 422
    error = response.json()["error"]
    assert error["code"] == "key_reused"
    assert error["fields"][0]["field"] == "Idempotency-Key"
    assert Order.objects.count() == 1


def test_another_operation_under_the_same_key_is_refused(caller: Caller) -> None:
    customer = a_customer()
    orders = [caller.place(customer).json()["id"] for _ in range(2)]
    reason = {"reason": "customer_request"}

    assert caller.post(f"{ORDERS}/{orders[0]}/cancel", reason, key="k").status_code == 200
    assert caller.post(f"{ORDERS}/{orders[1]}/cancel", reason, key="k").status_code == 422
    assert Order.objects.get(pk=orders[1]).state == "placed"


def test_a_refund_repeated_is_owed_once(caller: Caller) -> None:
    order = caller.place(a_customer()).json()["id"]
    part = {"reason": "damaged", "amount": {"amount_minor": 100, "currency": "EUR"}}
    for key in ("one", "one", "two"):
        caller.post(f"{ORDERS}/{order}/refund", part, key=key)
    assert Order.objects.get().refunded_minor == 200


def test_a_change_is_answered_as_it_was_then_whatever_came_after(caller: Caller) -> None:
    order = caller.place(a_customer()).json()["id"]
    shipment = {"carrier": "DHL", "tracking_code": "J1"}
    shipped = caller.post(f"{ORDERS}/{order}/ship", shipment, key="k").json()
    caller.post(f"{ORDERS}/{order}/cancel", {"reason": "lost_in_transit"})

    assert caller.post(f"{ORDERS}/{order}/ship", shipment, key="k").json() == shipped
    assert caller.get(f"{ORDERS}/{order}").json()["state"] == "cancelled"


def test_a_refusal_is_not_kept_and_its_key_takes_the_mended_body(caller: Caller) -> None:
    body = an_order_for()
    assert caller.post(ORDERS, {**body, "customer": 10**9}, key="k").status_code == 422
    assert caller.post(ORDERS, body, key="k").status_code == 201


def test_a_key_is_a_clients_own(caller: Caller) -> None:
    body = an_order_for()
    assert caller.post(ORDERS, body, key="k").status_code == 201
    assert "Idempotent-Replayed" not in a_caller().post(ORDERS, body, key="k")
    assert Order.objects.count() == 2


def test_without_a_key_each_request_is_one_of_its_own(caller: Caller) -> None:
    body = an_order_for()
    for _ in range(2):
        assert caller.post(ORDERS, body).status_code == 201
    assert Order.objects.count() == 2
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut"])
def test_a_key_is_1_to_255_printable_characters(caller: Caller, key: str) -> None:
    response = caller.post(ORDERS, an_order_for(), key=key)
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["field"] == "Idempotency-Key"
    assert not Order.objects.exists()


def test_the_longest_key_is_kept(caller: Caller) -> None:
    body = an_order_for()
    for _ in range(2):
        assert caller.post(ORDERS, body, key="x" * 255).status_code == 201
    assert Order.objects.count() == 1


def test_an_answer_is_kept_for_a_day_and_its_key_is_free_then(caller: Caller) -> None:
    body = an_order_for()
    caller.post(ORDERS, body, key="k")
    _age(KEPT_FOR - timedelta(minutes=1))
    assert caller.post(ORDERS, body, key="k")["Idempotent-Replayed"] == "true"

    _age(timedelta(minutes=2))
    again = caller.post(ORDERS, an_order_for(), key="k")
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again
    assert Order.objects.count() == 2
    assert KeptAnswer.objects.get().body == again.content.decode()


def test_old_answers_are_forgotten_step_by_step(caller: Caller) -> None:
    body = an_order_for()
    for number in range(5):
        caller.post(ORDERS, body, key=f"k{number}")
    _age(KEPT_FOR)
    caller.post(ORDERS, body, key="fresh")

    assert KeptAnswer.objects.forget_old(step=2) == 5
    assert KeptAnswer.objects.get().key == "fresh"


def test_the_relays_forget_old_answers(caller: Caller) -> None:
    caller.post(ORDERS, an_order_for(), key="k")
    _age(KEPT_FOR)

    assert chores.forget_answers(go_on=lambda: True) == 1
    assert not KeptAnswer.objects.exists()
    assert chores.forget_answers in [chore.run for chore in all_chores()]


def test_a_transaction_that_fails_keeps_neither_order_nor_answer(caller: Caller) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no")

    body = an_order_for()
    order_created.connect(fail)
    try:
        assert caller.post(ORDERS, body, key="k").status_code == 500
    finally:
        order_created.disconnect(fail)
    assert not Order.objects.exists()
    assert not KeptAnswer.objects.exists()
    assert not Event.objects.exists()


def test_a_request_that_is_still_at_work_is_said_to_be(caller: Caller) -> None:
    """The first one stands in its transaction until the second one is answered."""
    body = an_order_for()
    placing, answered = Signal(), Signal()

    def dawdle(**_: Any) -> None:
        placing.set()
        assert answered.wait(20)

    def first() -> Any:
        return caller.post(ORDERS, body, key="k")

    def second() -> Any:
        assert placing.wait(20)
        try:
            return caller.post(ORDERS, body, key="k")
        finally:
            answered.set()

    order_created.connect(dawdle)
    try:
        one, other = all_at_once([first, second])
    finally:
        order_created.disconnect(dawdle)

    assert one.status_code == 201
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "in_progress"
    assert other["Retry-After"] == "1"
    assert caller.post(ORDERS, body, key="k").content == one.content
    assert Order.objects.count() == 1


@pytest.mark.S2
def test_eight_at_once_make_one_order(caller: Caller) -> None:
    body = an_order_for()
    for number in range(3):
        answers = at_once(lambda key=f"k{number}": caller.post(ORDERS, body, key=key), 8)

        fresh = [a for a in answers if a.status_code == 201 and "Idempotent-Replayed" not in a]
        assert len(fresh) == 1
        assert {a.content for a in answers if a.status_code == 201} == {fresh[0].content}
        assert set(Counter(a.status_code for a in answers)) <= {201, 409}
        assert Order.objects.count() == Event.objects.count() == number + 1


def test_who_looked_before_the_first_one_committed_is_overtaken(caller: Caller) -> None:
    """Its look found nothing and its lock was free: keeping its own answer must fail then."""
    body = an_order_for()
    answer = caller.post(ORDERS, body, key="k")
    kept = KeptAnswer.objects.get()
    with transaction.atomic():
        assert not KeptAnswer.objects.keep(kept)
    assert KeptAnswer.objects.get().body == answer.content.decode()


def test_who_is_refused_for_what_its_own_first_request_did_is_answered_as_that(
    caller: Caller,
) -> None:
    """The first one committed between the second one's look and its lock, and shipped the order."""
    order = caller.place(a_customer()).json()["id"]
    shipment = {"carrier": "DHL", "tracking_code": "J1"}
    first = caller.post(f"{ORDERS}/{order}/ship", shipment, key="k")
    kept = KeptAnswer.objects.get()
    KeptAnswer.objects.all().delete()

    def keep_the_first() -> None:
        try:
            assert KeptAnswer.objects.keep(kept)
        finally:
            connection.close()

    def look_and_be_overtaken(execute: Any, sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        if "pg_try_advisory_xact_lock" in sql and not KeptAnswer.objects.exists():
            with ThreadPoolExecutor(1) as other:
                other.submit(keep_the_first).result(20)
        return found

    with connection.execute_wrapper(look_and_be_overtaken):
        again = caller.post(f"{ORDERS}/{order}/ship", shipment, key="k")
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"


def _age(by: timedelta) -> None:
    KeptAnswer.objects.update(created_at=F("created_at") - by)
