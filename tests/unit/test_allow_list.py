"""Who is on an allow-list, and who cannot be made to look as though they were."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.allow_list import allows, too_wide

ALLOWED = [
    "*@shop.example",
    "Tester@Example.org",
    "+49 151 1234-5678",
    "+1206555*",
    "device-token-1",
    "hooks.partner.example",
    "*.sandbox.example",
]


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": ALLOWED}


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "address",
    [
        "ann@shop.example",
        " Ann@SHOP.example ",
        "tester@example.org",
        "+4915112345678",
        "+49 (151) 12345678",
        "+12065550100",
        "device-token-1",
        "https://hooks.partner.example/orders",
        "https://hooks.partner.example:8443/",
        "https://a.sandbox.example/x",
    ],
)
def test_who_is_on_the_list_is_reached(address: str) -> None:
    assert allows(address)


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann@example.org",
        "ann@shop.example.org",
        "ann@other-shop.example",
        "ann@evil.example,ben@shop.example",
        "ann@evil.example@shop.example",
        "ann@evil.example ben@shop.example",
        "+4915112345679",
        "+491511234567",
        "+12075550100",
        "device-token-12",
        "https://evil.example/hooks.partner.example",
        "https://evil.example/?to=ann@shop.example",
        "https://hooks.partner.example@evil.example/",
        "https://sandbox.example/",
        "https://[broken/",
    ],
)
def test_nobody_else_is(address: str) -> None:
    assert not allows(address)


@pytest.mark.parametrize(("allowed", "reached"), [(None, True), ([], False), ((), False)])
def test_without_a_list_everybody_is_reached_and_by_an_empty_one_nobody(
    settings: Any, allowed: Any, reached: bool
) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": allowed}

    assert allows("ann@example.org") == reached


def test_an_entry_that_shuts_nobody_out_is_found() -> None:
    assert too_wide([*ALLOWED, "*", " ", "*@*", "+*", "*.*"]) == ["*", " ", "*@*", "+*", "*.*"]
