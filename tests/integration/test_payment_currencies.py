"""The sandbox's payment account takes every currency but those that it is not enabled for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from notifications.local.providers.client import SandboxClient
from orders_site.payments.exceptions import PaymentRefused
from orders_site.payments.httpx_provider import HttpxProvider
from orders_site.payments.provider import Charged


@pytest.fixture
def provider(sandbox: SandboxClient) -> Iterator[HttpxProvider]:
    provider = HttpxProvider(os.environ["PAYMENT_ENDPOINT"], "a key")
    yield provider
    provider.close()


def charge(provider: HttpxProvider, key: str, currency: str) -> object:
    return provider.charge(key=key, amount=500, currency=currency, reference=f"order/{key}")


def test_a_currency_is_refused_without_a_trace_until_the_account_is_enabled_for_it(
    sandbox: SandboxClient, provider: HttpxProvider
) -> None:
    sandbox.refuse_currency("JPY")

    with pytest.raises(PaymentRefused, match="currency_not_supported"):
        charge(provider, "1", "JPY")
    assert isinstance(charge(provider, "2", "EUR"), Charged)
    assert [each.key for each in sandbox.charges()] == ["2"]

    sandbox.take_currency("JPY")
    assert isinstance(charge(provider, "1", "JPY"), Charged)
    assert [each.key for each in sandbox.charges()] == ["2", "1"]


def test_what_was_charged_before_keeps_its_answer(
    sandbox: SandboxClient, provider: HttpxProvider
) -> None:
    before = charge(provider, "1", "JPY")
    sandbox.refuse_currency("JPY")

    assert charge(provider, "1", "JPY") == before


def test_a_reset_enables_the_account_for_all(
    sandbox: SandboxClient, provider: HttpxProvider
) -> None:
    sandbox.refuse_currency("JPY")
    sandbox.reset()

    assert isinstance(charge(provider, "1", "JPY"), Charged)


@pytest.mark.parametrize("asked", [{"currency": 1, "taken": True}, {"currency": "JPY"}])
def test_what_makes_no_sense_is_refused(sandbox: SandboxClient, asked: dict[str, object]) -> None:
    answer = httpx.post(f"{sandbox.url}/sandbox/currency", json=asked)
    assert (answer.status_code, answer.text) == (
        400,
        "currency must be a text, and taken true or false.",
    )
