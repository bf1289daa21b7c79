"""The payment provider's HTTP API, by httpx: charges and refunds, each under a key of ours."""

from __future__ import annotations

import threading
import weakref
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from notifications.channels.answers import retry_after
from notifications.channels.http_errors import carry_trace, json_object
from orders_site.payments.exceptions import (
    AccountRefused,
    PaymentError,
    PaymentRefused,
    ProviderAway,
    Unanswered,
)
from orders_site.payments.provider import Charged, Declined, Refunded

CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 10.0
"""Seconds. Providers advise to wait for long: an answer that is not awaited must be looked up."""

MAX_CONNECTIONS = 64
MAX_CODE = 40
_CAME_TO_NOTHING = ("failed", "canceled", "cancelled")
_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)


class HttpxProvider:
    """Makes one request for each call, and repeats none: whoever asked decides about that.

    Safe to use from many threads. Timeouts in seconds.
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self._url = f"{endpoint.rstrip('/')}/payments/v1"
        self._api_key = api_key
        self._timeout = httpx.Timeout(connect_timeout, read=read_timeout)
        self._lock = threading.Lock()
        self._connected: httpx.Client | None = None
        self.patience = 3 * connect_timeout + read_timeout
        """Of one request: it waits for a place, to be connected, to write, and to read."""

    def close(self) -> None:
        """Let go of the connections; the next request makes new ones."""
        http, self._connected = self._connected, None
        if http is not None:
            http.close()

    def charge(self, *, key: str, amount: int, currency: str, reference: str) -> Charged | Declined:
        body = {"amount": amount, "currency": currency, "reference": reference}
        answer = self._ask("POST", "/charges", key=key, json=body)
        if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
            return Declined(_code(answer))
        return _charged(_accepted(answer, f"a charge in {currency}"))

    def find_charge(self, *, key: str) -> Charged | Declined | None:
        found = self._find("/charges", key)
        if found is None:
            return None
        if found.get("status") == "declined":
            return Declined(str(found.get("code") or "declined")[:MAX_CODE])
        return _charged(found)

    def refund(self, *, key: str, charge: str, amount: int) -> Refunded:
        answer = self._ask("POST", f"/charges/{charge}/refunds", key=key, json={"amount": amount})
        return _refunded(_accepted(answer))

    def find_refund(self, *, key: str) -> Refunded | None:
        found = self._find("/refunds", key)
        return None if found is None else _refunded(found)

    def _find(self, path: str, key: str) -> dict[str, Any] | None:
        rows = _accepted(self._ask("GET", path, params={"key": key})).get("data")
        if not isinstance(rows, list):
            raise Unanswered("unreadable_answer", "The provider's list holds no data.")
        if rows and not isinstance(rows[0], dict):
            raise Unanswered("unreadable_answer", "The provider's list holds no objects.")
        return rows[0] if rows else None

    def _ask(self, method: str, path: str, *, key: str = "", **request: Any) -> httpx.Response:
        """What decides between away and unanswered: could the request have been written?"""
        try:
            return self._http().request(
                method,
                self._url + path,
                headers={"Idempotency-Key": key} if key else None,
                **request,
            )
        except _NOT_CONNECTED:
            raise ProviderAway("not_connected", "The payment provider cannot be reached.") from None
        except httpx.ReadTimeout:
            raise Unanswered("read_timeout", "The payment provider did not answer.") from None
        except httpx.RequestError:
            raise Unanswered("connection_lost", "The connection ended before the answer.") from None

    def _http(self) -> httpx.Client:
        """Made at the first request: whoever made the provider may have forked since."""
        if self._connected is None:
            with self._lock:
                if self._connected is None:
                    limits = httpx.Limits(
                        max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS
                    )
                    authorization = {"Authorization": f"Bearer {self._api_key}"}
                    http = httpx.Client(
                        timeout=self._timeout,
                        limits=limits,
                        headers=authorization,
                        event_hooks={"request": [carry_trace]},
                    )
                    weakref.finalize(self, http.close)  # a provider is dropped, seldom closed
                    self._connected = http
        return self._connected


@cache
def configured() -> HttpxProvider:
    """The provider of the PAYMENTS setting."""
    return HttpxProvider(**settings.PAYMENTS)


def _accepted(answer: httpx.Response, asked: str = "the request") -> dict[str, Any]:
    if not answer.is_success:
        raise _refused(answer, asked)
    body = json_object(answer)
    if not body:
        raise Unanswered("unreadable_answer", "The provider's answer is no JSON object.")
    return body


def _refused(answer: httpx.Response, asked: str) -> PaymentError:
    """A server's own failure says nothing of what it did before it failed."""
    code, status = _code(answer), answer.status_code
    wait = retry_after(answer.headers.get("Retry-After"))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return AccountRefused(code, "The payment provider refuses the account.", wait)
    if status in (httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS):
        return ProviderAway(code, "The payment provider wants to be asked later.", wait)
    if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.CONFLICT) or answer.is_server_error:
        return Unanswered(code, "The payment provider failed.", wait)
    return PaymentRefused(code, f"The payment provider refuses {asked}.")


def _code(answer: httpx.Response) -> str:
    """The provider's own, without its words: those may quote what we sent."""
    error = json_object(answer).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return str(code or f"http_{answer.status_code}")[:MAX_CODE]


def _charged(row: dict[str, Any]) -> Charged:
    """What is pending, or in a state that nobody here knows, may still come to nothing."""
    if row.get("status") != "succeeded":
        raise Unanswered("not_settled", "The payment provider has not settled the charge yet.")
    currency = row.get("currency")
    return Charged(_id(row), _amount(row), currency.upper() if isinstance(currency, str) else "")


def _refunded(row: dict[str, Any]) -> Refunded:
    """One on its way is made, as far as we are concerned; a bank may have sent it back."""
    if row.get("status") in _CAME_TO_NOTHING:
        raise PaymentRefused("refund_failed", "The refund came to nothing at the provider.")
    charge = row.get("charge")
    return Refunded(_id(row), _amount(row), charge if isinstance(charge, str) else "")


def _id(row: dict[str, Any]) -> str:
    found = row.get("id")
    if not isinstance(found, str) or not found:
        raise Unanswered("unreadable_answer", "The provider's answer has no id.")
    return found


def _amount(row: dict[str, Any]) -> int | None:
    """As it is said; None where it is not."""
    found = row.get("amount")
    return found if isinstance(found, int) else None
