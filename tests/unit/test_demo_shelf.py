"""The shelf: every piece is on hand, or with an order that holds it."""

from __future__ import annotations

from orders_site.demo.shelf import Parcel, astray

BEFORE = {"MUG": 10, "PEN": 5}


def test_what_orders_hold_is_missed_by_nobody() -> None:
    parcels = [
        Parcel(1, holds=True, pieces={"MUG": 3, "PEN": 1}),
        Parcel(2, holds=True, pieces={"MUG": 2}),
        Parcel(3, holds=False, pieces={"MUG": 9}),
    ]
    assert list(astray(BEFORE, {"MUG": 5, "PEN": 4}, parcels)) == []


def test_what_is_not_kept_in_stock_is_not_counted() -> None:
    assert list(astray(BEFORE, BEFORE, [Parcel(1, holds=True, pieces={"CARD": 3})])) == []


def test_a_piece_too_few_or_too_many_is_said() -> None:
    parcels = [Parcel(1, holds=True, pieces={"MUG": 3})]
    assert list(astray(BEFORE, {"MUG": 6, "PEN": 6}, parcels)) == [
        "MUG: 10 before, orders hold 3, so 7 are left; 6 on hand",
        "PEN: 5 before, orders hold 0, so 5 are left; 6 on hand",
    ]


def test_fewer_than_none_is_said_whatever_was_sold() -> None:
    parcels = [Parcel(1, holds=True, pieces={"PEN": 6})]
    assert list(astray(BEFORE, {"MUG": 10, "PEN": -1}, parcels)) == [
        "PEN: 5 before, orders hold 6, so -1 are left; -1 on hand"
    ]
