"""The sandbox's payment provider: what real ones promise about keys, and how it fails on script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from notifications.local.providers.client import SandboxClient
from notifications.local.providers.ledger import ChargeAsked, RefundAsked
from notifications.local.providers.store import Store
from orders_site.payments.exceptions import (
    AccountRefused,
    PaymentError,
    PaymentRefused,
    ProviderAway,
    Unanswered,
)
from orders_site.payments.httpx_provider import HttpxProvider
from orders_site.payments.provider import Charged, Declined
from tests.partners import Open, in_turn, says

EUROS = {"currency": "EUR", "reference": "order/7"}


@pytest.fixture
def api(sandbox: SandboxClient) -> Iterator[httpx.Client]:
    """Anybody's client, with an API key."""
    headers = {"Authorization": "Bearer any"}
    with httpx.Client(base_url=f"{sandbox.url}/payments/v1", headers=headers) as client:
        yield client


def charge(provider: HttpxProvider, key: str = "charge-7", amount: int = 4990) -> Charged:
    answer = provider.charge(key=key, amount=amount, **EUROS)
    assert isinstance(answer, Charged)
    return answer


def test_the_same_request_under_one_key_is_carried_out_once(sandbox, provider):
    first = charge(provider)
    assert charge(provider) == first == provider.find_charge(key="charge-7")
    refund = provider.refund(key="refund-1", charge=first.provider_id, amount=990)
    assert provider.refund(key="refund-1", charge=first.provider_id, amount=990) == refund
    assert provider.find_refund(key="refund-1") == refund

    (made,) = sandbox.charges()
    assert (made.id, made.amount, made.refunded, made.status) == (
        first.provider_id,
        4990,
        990,
        "succeeded",
    )
    assert [(each.charge, each.amount) for each in sandbox.refunds()] == [(made.id, 990)]
    assert sandbox.counts()["payments"]["outcomes"] == {"accept": 2, "replayed": 2}


def test_another_request_under_a_used_key_is_refused(sandbox, provider):
    made = charge(provider)
    provider.refund(key="refund-1", charge=made.provider_id, amount=990)
    for again in (
        lambda: charge(provider, amount=1),
        lambda: provider.refund(key="refund-1", charge=made.provider_id, amount=1),
    ):
        with pytest.raises(PaymentRefused, match="idempotency_key_reused"):
            again()
    assert len(sandbox.charges()) == len(sandbox.refunds()) == 1


def test_what_nobody_asked_for_is_not_found(provider):
    assert provider.find_charge(key="charge-7") is None
    assert provider.find_refund(key="refund-7") is None


def test_no_more_is_given_back_than_was_charged(sandbox, provider):
    made = charge(provider)
    provider.refund(key="refund-1", charge=made.provider_id, amount=4000)
    with pytest.raises(PaymentRefused, match="refund_exceeds_charge"):
        provider.refund(key="refund-2", charge=made.provider_id, amount=991)
    with pytest.raises(PaymentRefused, match="no_such_charge"):
        provider.refund(key="refund-3", charge="ch_of_nobody", amount=1)
    assert sandbox.charges()[0].refunded == 4000


def test_a_decline_is_remembered_under_its_key_and_cannot_be_refunded(sandbox, provider):
    sandbox.script("payments", "refuse", code="card_declined", address="charge-7", times=1)
    declined = provider.charge(key="charge-7", amount=4990, **EUROS)
    assert declined == Declined("card_declined")
    assert provider.charge(key="charge-7", amount=4990, **EUROS) == declined
    assert provider.find_charge(key="charge-7") == declined
    (made,) = sandbox.charges()
    assert (made.status, made.code) == ("declined", "card_declined")
    with pytest.raises(PaymentRefused, match="no_such_charge"):
        provider.refund(key="refund-1", charge=made.id, amount=1)


@pytest.mark.parametrize(
    ("script", "error", "code", "made"),
    [
        ({"behaviour": "throttle", "retry_after": 7}, ProviderAway, "too_many_requests", 0),
        ({"behaviour": "server_error", "status": 503}, Unanswered, "server_error", 0),
        ({"behaviour": "hang"}, Unanswered, "read_timeout", 0),
        ({"behaviour": "hang_up"}, Unanswered, "connection_lost", 0),
        ({"behaviour": "accept_then_drop"}, Unanswered, "connection_lost", 1),
        ({"behaviour": "refuse", "code": "unauthorized"}, AccountRefused, "unauthorized", 0),
        (
            {"behaviour": "refuse", "code": "currency_not_supported"},
            PaymentRefused,
            "currency_not_supported",
            0,
        ),
    ],
    ids=lambda value: value["behaviour"] if isinstance(value, dict) else None,
)
def test_each_way_to_fail_is_told_apart(
    sandbox, script: dict[str, Any], error: type[PaymentError], code: str, made: int
):
    impatient = HttpxProvider(sandbox.url, "a key", read_timeout=0.3)
    sandbox.script("payments", times=1, **script)
    with pytest.raises(PaymentError) as raised:
        charge(impatient)
    impatient.close()
    assert (type(raised.value), raised.value.code) == (error, code)
    assert getattr(raised.value, "retry_after", None) == script.get("retry_after")
    assert len(sandbox.charges()) == made


def test_a_look_up_fails_by_a_script_of_its_own(sandbox, provider):
    sandbox.script("payment-lookups", "server_error", times=1)
    charge(provider)
    with pytest.raises(Unanswered):
        provider.find_charge(key="charge-7")
    assert provider.find_charge(key="charge-7")


def test_a_request_without_a_key_or_with_a_wrong_amount_is_refused(sandbox, api):
    wanted = {"amount": 4990, **EUROS}
    key = {"Idempotency-Key": "charge-7"}
    for headers, body, status, code in (
        ({}, wanted, 400, "idempotency_key_missing"),
        (key, {**wanted, "amount": 0}, 400, "invalid_amount"),
        (key, {**wanted, "amount": 49.9}, 400, "invalid_amount"),
        (key, {**wanted, "currency": "euro"}, 400, "invalid_currency"),
        ({**key, "Authorization": ""}, wanted, 401, "unauthorized"),
    ):
        answer = api.post("/charges", headers=headers, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert sandbox.charges() == []


def test_a_reset_forgets_every_charge(sandbox, provider):
    charge(provider)
    sandbox.reset()
    assert sandbox.charges() == sandbox.refunds() == []
    assert provider.find_charge(key="charge-7") is None


def test_the_journal_keeps_charges_over_a_restart(tmp_path):
    """So that a restarted sandbox does not charge again what was charged before."""
    asked = ChargeAsked("charge-7", 4990, "EUR", "order/7")
    store = Store(tmp_path / "journal")
    made = store.ledger.charge(asked)
    store.ledger.refund(RefundAsked("refund-1", 990, made["id"]))
    store.close()

    again = Store(tmp_path / "journal")
    assert again.ledger.charge(asked)["id"] == made["id"]
    assert again.ledger.charge(asked)["refunded"] == 990
    again.close()


class _Pending(BaseHTTPRequestHandler):
    """A provider that takes a charge, and knows only later whether there is any money."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(202, {"id": "ch_1", "status": "pending"})

    def do_GET(self) -> None:
        self._say(200, {"data": [{"id": "ch_1", "status": "pending"}]})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_charge_that_is_pending_is_none_yet() -> None:
    with HTTPServer(("127.0.0.1", 0), _Pending) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        provider = HttpxProvider(f"http://127.0.0.1:{server.server_port}", "a key")
        for ask in (partial(charge, provider), partial(provider.find_charge, key="charge-7")):
            with pytest.raises(Unanswered, match="not_settled"):
                ask()
        provider.close()
        server.shutdown()


STRANGE = [b"null", b"[]", b"5", b"<p>no</p>", b"R\xe9seau", b"[" * 100_000, b'{"error": 5}']


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("200 OK", Unanswered),
        ("400 Bad Request", PaymentRefused),
        ("403 Forbidden", AccountRefused),
        ("429 Too Many Requests", ProviderAway),
        ("503 Service Unavailable", Unanswered),
    ],
)
def test_a_status_counts_whatever_its_body_is_like(
    partner: Open, status: str, error: type[PaymentError]
) -> None:
    there = partner(in_turn(status, STRANGE))
    provider = HttpxProvider(f"http://127.0.0.1:{there.port}", "a key")
    for body in STRANGE:
        with pytest.raises(PaymentError) as raised:
            charge(provider)
        assert type(raised.value) is error, body[:80]
    provider.close()


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_came_to_nothing_is_none(partner: Open, status: str) -> None:
    row = f'{{"id": "re_1", "amount": 990, "status": "{status}"}}'
    there = partner(in_turn("200 OK", [row.encode(), f'{{"data": [{row}]}}'.encode()]))
    provider = HttpxProvider(f"http://127.0.0.1:{there.port}", "a key")
    with pytest.raises(PaymentRefused, match="refund_failed"):
        provider.refund(key="refund-1", charge="ch_1", amount=990)
    with pytest.raises(PaymentRefused, match="refund_failed"):
        provider.find_refund(key="refund-1")
    provider.close()


@pytest.mark.parametrize("data", ["5", "{}", '"x"', "[5]", "[null]", "[[]]", "[{}]"])
def test_a_list_that_is_none_leaves_a_charge_unanswered(partner: Open, data: str) -> None:
    there = partner(says("200 OK", f'{{"data": {data}}}'.encode()))
    provider = HttpxProvider(f"http://127.0.0.1:{there.port}", "a key")
    for ask in (provider.find_charge, provider.find_refund):
        with pytest.raises(Unanswered):
            ask(key="charge-7")
    provider.close()
