"""The balance: what it calls uncharged, charged twice and off."""

from __future__ import annotations

import pytest

from orders_site.demo.balance import Balance, Sale, Taking, balance


@pytest.mark.parametrize(
    ("sale", "taking"),
    [
        (Sale(1, 500), Taking(1, 500)),
        (Sale(1, 500, owed_back=200), Taking(1, 500, refunded=200)),
        (Sale(1, 500, owed_back=500), Taking(1, 500, refunded=500)),
        (Sale(1, 500, owed_back=200, cancelled=True), Taking(1, 500, refunded=500)),
        (Sale(1, 500, owed_back=200, excused=True), Taking(1, 500)),
    ],
)
def test_what_was_charged_once_and_given_back_as_owed_is_well(sale: Sale, taking: Taking) -> None:
    assert balance([sale], [taking]) == Balance(charged=1)


@pytest.mark.parametrize(
    "sale",
    [
        *(Sale(1, 500, cancelled=True), Sale(1, 500, declined=True)),
        *(Sale(1, 500, excused=True), Sale(1, 0)),
    ],
)
def test_what_was_cancelled_refused_or_free_need_not_be_charged(sale: Sale) -> None:
    assert balance([sale], []) == Balance()


def test_an_order_that_was_never_charged_is_named() -> None:
    assert balance([Sale(1, 500), Sale(2, 500)], [Taking(2, 500)]) == Balance(1, uncharged=[1])


def test_an_order_that_was_charged_twice_is_named_whatever_went_back() -> None:
    both = [Taking(1, 500), Taking(1, 500, refunded=500)]
    assert balance([Sale(1, 500)], both).charged_twice == [1]


@pytest.mark.parametrize(
    ("sale", "taking", "words"),
    [
        (Sale(1, 500), Taking(1, 400), "cost 500, and 400 was charged"),
        (Sale(1, 500), Taking(1, 500, refunded=1), "keeps 499, and 500 is due"),
        (Sale(1, 500, cancelled=True), Taking(1, 500), "keeps 500, and 0 is due"),
        (Sale(1, 500, owed_back=200), Taking(1, 500), "keeps 500, and 300 is due"),
        (Sale(1, 500, owed_back=500), Taking(1, 500, refunded=501), "keeps -1, and 0 is due"),
        (Sale(1, 500, excused=True), Taking(1, 500, refunded=1), "keeps 499, and 500 is due"),
        (Sale(1, 500, declined=True), Taking(1, 500), "was declined, and 500 was charged"),
    ],
)
def test_a_wrong_amount_is_said(sale: Sale, taking: Taking, words: str) -> None:
    balanced = balance([sale], [taking])
    assert any(words in said for said in balanced.off)
    assert not balanced.good


def test_a_charge_of_no_order_is_said() -> None:
    assert balance([], [Taking(9, 500)]).off == ["order 9 was charged, and nobody placed it"]
