"""The HTTP server: each provider's address, and what happens to a send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from notifications.channels.script import Behaviour, Step
from notifications.local.providers import control, inbox, payments
from notifications.local.providers.cloud_api import CloudApiWire
from notifications.local.providers.fcm import FcmWire, TokenWire
from notifications.local.providers.postmark import PostmarkWire
from notifications.local.providers.sandbox import TOKEN, Sandbox
from notifications.local.providers.ses import SesWire
from notifications.local.providers.sms import SmsWire
from notifications.local.providers.social import WhatsAppWire
from notifications.local.providers.store import Incoming
from notifications.local.providers.webhook import DEFAULT_SECRET, WebhookWire
from notifications.local.providers.wire import Malformed, Wire, with_retry_after

MAX_BODY = 64 * 1024 * 1024
"""Bytes: an email of 40 MB in base64."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(sandbox: Sandbox, *, webhook_secret: str = DEFAULT_SECRET) -> web.Application:
    """Every address the SDKs ask for; the inbox page at `/`; the controls under `/sandbox/`."""
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/v2/email/outbound-emails", _door(sandbox, SesWire()))
    app.router.add_post("/", _door(sandbox, SmsWire()))
    app.router.add_post("/v1/whatsapp/send", _door(sandbox, WhatsAppWire()))
    app.router.add_post("/{version:v\\d+\\.\\d+}/{sender}/messages", _door(sandbox, CloudApiWire()))
    app.router.add_post("/postmark/email", _door(sandbox, PostmarkWire()))
    app.router.add_post("/v1/projects/{project}/messages:send", _door(sandbox, FcmWire()))
    app.router.add_post("/google/token", _token_door(sandbox))
    app.router.add_post(
        "/webhooks/{name}", _door(sandbox, WebhookWire(webhook_secret, sandbox.webhook_secrets))
    )
    control.add_routes(app, sandbox)
    inbox.add_routes(app, sandbox)
    payments.add_routes(app, sandbox)
    return app


def _door(sandbox: Sandbox, wire: Wire) -> Handler:
    async def send(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            incoming = wire.read(request, body)
        except Malformed as error:
            sandbox.malformed(wire.channel)
            return wire.refused(error.code, error.message)
        step = sandbox.decide(wire.channel, incoming.addresses[0], incoming.sender)
        return await _play(sandbox, wire, step, incoming, request)

    return send


async def _play(
    sandbox: Sandbox, wire: Wire, step: Step, incoming: Incoming, request: web.Request
) -> web.StreamResponse:
    match step.behaviour:
        case Behaviour.THROTTLE:
            return with_retry_after(wire.throttled(), step.retry_after)
        case Behaviour.SERVER_ERROR:
            return with_retry_after(wire.failed(step.status), step.retry_after)
        case Behaviour.REFUSE if step.code.startswith("http_"):
            status = int(step.code.removeprefix("http_"))
            return web.Response(status=status, text="Not the provider: something before it.")
        case Behaviour.REFUSE:
            return wire.refused(step.code, step.message)
        case Behaviour.HANG_UP:
            return _hang_up(request)
        case Behaviour.HANG:
            await asyncio.Event().wait()  # until the client goes away, which cancels us
        case Behaviour.ACCEPT_THEN_DROP:
            sandbox.accept(wire.channel, incoming)
            return _hang_up(request)
        case Behaviour.DELAY:
            # Shielded: a provider finishes its work also when nobody waits for the answer.
            return await asyncio.shield(_accept_later(sandbox, wire, step.seconds, incoming))
    return wire.taken(incoming, sandbox.accept(wire.channel, incoming))


async def _accept_later(
    sandbox: Sandbox, wire: Wire, seconds: float, incoming: Incoming
) -> web.StreamResponse:
    edition = sandbox.edition
    await asyncio.sleep(seconds)
    return wire.taken(incoming, sandbox.accept(wire.channel, incoming, edition))


def _token_door(sandbox: Sandbox) -> Handler:
    wire = TokenWire()

    async def token(request: web.Request) -> web.StreamResponse:
        step = sandbox.decide(TOKEN, "")
        match step.behaviour:
            case Behaviour.THROTTLE:
                return with_retry_after(wire.failed(429), step.retry_after)
            case Behaviour.SERVER_ERROR:
                return with_retry_after(wire.failed(step.status), step.retry_after)
            case Behaviour.REFUSE:
                return wire.refused(step.code)
            case Behaviour.HANG_UP | Behaviour.ACCEPT_THEN_DROP:
                return _hang_up(request)
            case Behaviour.HANG:
                await asyncio.Event().wait()
            case Behaviour.DELAY:
                await asyncio.sleep(step.seconds)
        return wire.issued(step.expires_in)

    return token


def _hang_up(request: web.Request) -> web.Response:
    """Close the socket with nothing said. What we return then reaches nobody."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
