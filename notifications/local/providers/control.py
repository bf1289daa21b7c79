"""The controls under `/sandbox/` (JSON), which `client.SandboxClient` speaks, and `/health`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from notifications.channels.script import Step
from notifications.channels.webhook_signature import key_of
from notifications.local.ports import is_here
from notifications.local.providers.receipts import Place
from notifications.local.providers.sandbox import SCRIPTED, Sandbox

PAGE = 5_000


def add_routes(app: web.Application, sandbox: Sandbox) -> None:
    controls = _Controls(sandbox)
    app.router.add_get("/health", controls.health)
    app.router.add_get("/sandbox/counts", controls.counts)
    app.router.add_get("/sandbox/accepted", controls.accepted)
    app.router.add_get("/sandbox/ledger/{table:charge|refund}", controls.ledger)
    app.router.add_post("/sandbox/script", controls.script)
    app.router.add_post("/sandbox/script/forget", controls.forget_script)
    app.router.add_post("/sandbox/limit", controls.limit)
    app.router.add_post("/sandbox/currency", controls.currency)
    app.router.add_post("/sandbox/webhooks", controls.webhook_secret)
    app.router.add_post("/sandbox/receipts", controls.receipts)
    app.router.add_post("/sandbox/receipts/script", controls.script_receipts)
    app.router.add_post("/sandbox/reset", controls.reset)


class _Controls:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def counts(self, request: web.Request) -> web.Response:
        return web.json_response(self._sandbox.counts())

    async def accepted(self, request: web.Request) -> web.Response:
        """The messages after the one with id `after`, oldest first; `next` while there is more."""
        after = _whole(request.query.get("after", "0"), "after")
        limit = min(_whole(request.query.get("limit", str(PAGE)), "limit"), PAGE)
        rows = self._sandbox.store.after(
            after, channel=request.query.get("channel", ""), limit=limit
        )
        following = rows[-1]["id"] if rows and len(rows) == limit else None
        return web.json_response({"messages": rows, "next": following})

    async def ledger(self, request: web.Request) -> web.Response:
        """The payment provider's charges, or its refunds, in pages as above."""
        after = _whole(request.query.get("after", "0"), "after")
        rows = self._sandbox.ledger.rows(request.match_info["table"], after=after, limit=PAGE)
        following = rows[-1]["number"] if len(rows) == PAGE else None
        return web.json_response({"rows": rows, "next": following})

    async def script(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        channel, times = _channel(asked), asked.get("times")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise _wrong("times must be a whole number from 1.")
        try:
            step = Step.of(str(asked.get("behaviour", "")), **(asked.get("arguments") or {}))
        except (TypeError, ValueError) as error:
            raise _wrong(str(error)) from None
        self._sandbox.script.add(channel, step, address=asked.get("address"), times=times)
        return web.Response(status=204)

    async def forget_script(self, request: web.Request) -> web.Response:
        self._sandbox.script.forget(_channel(await _asked(request)))
        return web.Response(status=204)

    async def limit(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        channel, per_second = _channel(asked), asked.get("per_second")
        if per_second is not None and (not isinstance(per_second, int | float) or per_second <= 0):
            raise _wrong("per_second must be a number above 0, or null for no limit.")
        self._sandbox.limit(channel, per_second)
        return web.Response(status=204)

    async def currency(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        currency, taken = asked.get("currency"), asked.get("taken")
        if not isinstance(currency, str) or not isinstance(taken, bool):
            raise _wrong("currency must be a text, and taken true or false.")
        refused = self._sandbox.refused_currencies
        (refused.discard if taken else refused.add)(currency)
        return web.Response(status=204)

    async def webhook_secret(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        name, secret = asked.get("name"), asked.get("secret")
        if not isinstance(name, str) or not isinstance(secret, str):
            raise _wrong("name and secret must be texts.")
        try:
            key_of(secret)
        except ValueError as error:
            raise _wrong(f"{error}.") from None
        self._sandbox.webhook_secrets[name] = secret
        return web.Response(status=204)

    async def receipts(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        place = Place(str(asked.get("endpoint", "")), str(asked.get("topic", "")))
        if not is_here(place.endpoint):
            raise _wrong("endpoint must be an emulator on this machine (http://127.0.0.1:…).")
        self._sandbox.receipts.send_to(place)
        return web.Response(status=204)

    async def script_receipts(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        kinds, address = asked.get("kinds"), str(asked.get("address") or "")
        if not isinstance(kinds, list):
            raise _wrong("kinds must be a list.")
        try:
            self._sandbox.receipts.script(_channel(asked), list(map(str, kinds)), address=address)
        except ValueError as error:
            raise _wrong(str(error)) from None
        return web.Response(status=204)

    async def reset(self, request: web.Request) -> web.Response:
        await _asked(request)
        self._sandbox.reset()
        return web.Response(status=204)


async def _asked(request: web.Request) -> dict[str, Any]:
    """The JSON asked for. Its content type keeps other sites' pages in a browser from asking."""
    if request.content_type != "application/json":
        raise _wrong("Send application/json.")
    try:
        asked = await request.json()
    except ValueError:
        raise _wrong("The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise _wrong("The body is not a JSON object.")
    return asked


def _channel(asked: dict[str, Any]) -> str:
    channel = asked.get("channel")
    if channel not in SCRIPTED:
        raise _wrong(f"channel must be one of {', '.join(SCRIPTED)}.")
    return str(channel)


def _whole(text: str, name: str) -> int:
    if not text.isdigit():
        raise _wrong(f"{name} must be a whole number.")
    return int(text)


def _wrong(message: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=message)
