"""A payment provider: charges and refunds under an idempotency key, as the usual ones have them.

    POST /payments/v1/charges                 {"amount", "currency", "reference"}
    POST /payments/v1/charges/{id}/refunds    {"amount"}
    GET  /payments/v1/charges?key=…           {"data": […]}: one, or none
    GET  /payments/v1/refunds?key=…

Each request needs an API key (any), each POST an Idempotency-Key. The same key and body get the
same answer, a decline too; the same key with another body is refused with 422. The script's
`address` is the key; look-ups are a channel of their own. A code of `DECLINES` is the customer's
bank's and settles a charge; any other code refuses the request and leaves no charge.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, NoReturn

from aiohttp import web

from notifications.channels.script import Behaviour, Step
from notifications.local.providers.ledger import ChargeAsked, Impossible, RefundAsked, Row
from notifications.local.providers.sandbox import LOOKUPS, PAYMENTS, Sandbox
from notifications.local.providers.wire import Malformed, answer, json_object, with_retry_after

DECLINES = frozenset(
    {
        "card_declined",
        "card_expired",
        "fraud_suspected",
        "incorrect_cvc",
        "insufficient_funds",
        "lost_or_stolen",
    }
)
_STATUS = {
    "idempotency_key_reused": 422,
    "no_such_charge": 404,
    "too_many_requests": 429,
    "unauthorized": 401,
    "account_suspended": 403,
}
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
MAX_KEY = 255

Make = Callable[[str], web.Response]
"""Carries out what was asked, declined for the reason given, if any, and answers."""


def add_routes(app: web.Application, sandbox: Sandbox) -> None:
    desk = _Desk(sandbox)
    app.router.add_post("/payments/v1/charges", desk.charge)
    app.router.add_post("/payments/v1/charges/{id}/refunds", desk.refund)
    app.router.add_get("/payments/v1/charges", desk.charges)
    app.router.add_get("/payments/v1/refunds", desk.refunds)


class _Desk:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def charge(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = _charge_asked(request, await request.read())
        except Malformed as error:
            return self._malformed(error)

        def make(decline: str) -> web.Response:
            row = self._sandbox.ledger.charge(asked, decline=decline)
            return _declined(row) if row["status"] == "declined" else _json(201, _charge(row))

        known = self._sandbox.ledger.charge_under(asked.key)
        if known is None and asked.currency in self._sandbox.refused_currencies:
            self._sandbox.refused(PAYMENTS)
            return _error("currency_not_supported", message="The account does not take it.")
        return await self._play(request, asked.key, make, known=known is not None)

    async def refund(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = _refund_asked(request, await request.read())
        except Malformed as error:
            return self._malformed(error)

        def make(decline: str) -> web.Response:
            if decline:
                return _error(decline, 402)
            return _json(201, _refund(self._sandbox.ledger.refund(asked)))

        known = self._sandbox.ledger.refund_under(asked.key)
        return await self._play(request, asked.key, make, known=known is not None)

    async def charges(self, request: web.Request) -> web.StreamResponse:
        return await self._find(request, self._sandbox.ledger.charge_under, _charge)

    async def refunds(self, request: web.Request) -> web.StreamResponse:
        return await self._find(request, self._sandbox.ledger.refund_under, _refund)

    async def _find(
        self,
        request: web.Request,
        look_up: Callable[[str], Row | None],
        shown: Callable[[Row], Row],
    ) -> web.StreamResponse:
        try:
            _authorized(request)
        except Malformed as error:
            return self._malformed(error)
        key = request.query.get("key", "")

        def make(decline: str) -> web.Response:
            if decline:
                return _error(decline, 402)
            row = look_up(key)
            return _json(200, {"data": [shown(row)] if row else []})

        step = self._sandbox.decide(LOOKUPS, key)
        return await self._carry_out(request, step, make)

    async def _play(
        self, request: web.Request, key: str, make: Make, *, known: bool
    ) -> web.StreamResponse:
        """A key that was used gets its answer again: no step of the script is spent on that."""
        if known:
            self._sandbox.replayed(PAYMENTS)
            return _done(make, "")
        return await self._carry_out(request, self._sandbox.decide(PAYMENTS, key), make)

    async def _carry_out(self, request: web.Request, step: Step, make: Make) -> web.StreamResponse:
        match step.behaviour:
            case Behaviour.THROTTLE:
                return with_retry_after(_error("too_many_requests"), step.retry_after)
            case Behaviour.SERVER_ERROR:
                return with_retry_after(_error("server_error", step.status), step.retry_after)
            case Behaviour.REFUSE if step.code in DECLINES:
                return _done(make, step.code)
            case Behaviour.REFUSE:
                return _error(step.code)
            case Behaviour.HANG_UP:
                return _hang_up(request)
            case Behaviour.HANG:
                await _hang()
            case Behaviour.ACCEPT_THEN_DROP:
                _done(make, "")
                return _hang_up(request)
            case Behaviour.DELAY:
                # Shielded: a provider finishes its work also when nobody waits for the answer.
                return await asyncio.shield(self._later(step.seconds, make))
        return _done(make, "")

    async def _later(self, seconds: float, make: Make) -> web.Response:
        edition = self._sandbox.edition
        await asyncio.sleep(seconds)
        if edition != self._sandbox.edition:  # a reset meanwhile has forgotten it, too
            return _error("server_error", 500)
        return _done(make, "")

    def _malformed(self, error: Malformed) -> web.Response:
        self._sandbox.malformed(PAYMENTS)
        return _error(error.code, message=error.message)


def _done(make: Make, decline: str) -> web.Response:
    try:
        return make(decline)
    except Impossible as error:
        return _error(error.code, message=error.message)


async def _hang() -> NoReturn:
    await asyncio.Event().wait()  # until the client goes away, which cancels us
    raise AssertionError("nobody sets it")


def _charge_asked(request: web.Request, body: bytes) -> ChargeAsked:
    key, call = _authorized_call(request, body)
    currency, reference = call.get("currency"), call.get("reference", "")
    if not isinstance(currency, str) or not _CURRENCY.match(currency):
        raise Malformed("invalid_currency", "currency must be three capital letters.")
    if not isinstance(reference, str):
        raise Malformed("invalid_reference", "reference must be a text.")
    return ChargeAsked(key=key, amount=_amount(call), currency=currency, reference=reference)


def _refund_asked(request: web.Request, body: bytes) -> RefundAsked:
    key, call = _authorized_call(request, body)
    return RefundAsked(key=key, amount=_amount(call), charge=request.match_info["id"])


def _authorized_call(request: web.Request, body: bytes) -> tuple[str, dict[str, Any]]:
    _authorized(request)
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= MAX_KEY:
        raise Malformed("idempotency_key_missing", "Every POST needs an Idempotency-Key.")
    return key, json_object(body, "invalid_body")


def _authorized(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key.strip():
        raise Malformed("unauthorized", "An API key is needed: Authorization: Bearer …")


def _amount(call: dict[str, Any]) -> int:
    amount = call.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or not 1 <= amount < 2**53:
        raise Malformed("invalid_amount", "amount must be whole minor units from 1.")
    return amount


def _charge(row: Row) -> Row:
    shown = ("id", "key", "reference", "amount", "currency", "refunded", "status", "code")
    return {name: row[name] for name in shown}


def _refund(row: Row) -> Row:
    return {name: row[name] for name in ("id", "key", "charge", "amount")}


def _declined(row: Row) -> web.Response:
    error = {"code": row["code"], "message": "The charge was declined.", "charge": row["id"]}
    return _json(402, {"error": error})


def _error(code: str, status: int = 0, message: str = "") -> web.Response:
    said = {"code": code, "message": message or "Refused by the sandbox's script."}
    return _json(status or _STATUS.get(code, 400), {"error": said})


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return answer(status, body, "application/json")


def _hang_up(request: web.Request) -> web.Response:
    """Close the socket with nothing said. What we return then reaches nobody."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
