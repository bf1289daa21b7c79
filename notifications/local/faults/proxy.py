"""The proxy itself: a request comes in, waits its latency, meets its fault or goes on, is answered.

Every client connection has one upstream connection of its own, and each ends with the
other, as on a wire: a long poll whose client died is given up at the emulator too.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from notifications.local.faults import batches
from notifications.local.faults.control import CONTROL_PATH, Control
from notifications.local.faults.http import (
    Message,
    Request,
    read_request,
    read_response,
    response,
)
from notifications.local.faults.script import Fault, Kind, Script

HOST = "127.0.0.1"


class HangUp(Exception):
    """Close this client's connection without another byte."""


class Proxy:
    """Stands on 127.0.0.1 in front of `target`. `latency` is the added round trip, in seconds."""

    def __init__(self, target: str, *, latency: float = 0.0) -> None:
        address = urlsplit(target)
        self._upstream = (address.hostname or HOST, address.port or 80)
        self.latency = latency
        self.script = Script()
        self.requests: Counter[str] = Counter()
        self._repeats: set[asyncio.Task[None]] = set()
        self._control = Control(self)

    async def listen(self, port: int) -> asyncio.Server:
        """Start to serve; port 0 takes a free one."""
        return await asyncio.get_running_loop().create_server(self._protocol, HOST, port)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        upstream = _Upstream(*self._upstream)

        async def converse(reader: StreamReader, writer: StreamWriter) -> None:
            try:
                with suppress(HangUp, ConnectionError, asyncio.IncompleteReadError):
                    await self._converse(reader, writer, upstream)
            finally:
                upstream.close()
                writer.close()

        return asyncio.StreamReaderProtocol(_ClientReader(upstream.close), converse)

    async def _converse(
        self, reader: StreamReader, writer: StreamWriter, upstream: _Upstream
    ) -> None:
        while request := await read_request(reader):
            if request.path.startswith(CONTROL_PATH):
                answer = self._control.answer(request)
            else:
                answer = await self._answer(request, upstream, reader)
            await _write(writer, answer)

    async def _answer(self, request: Request, upstream: _Upstream, client: StreamReader) -> Message:
        self.requests[request.action] += 1
        await asyncio.sleep(self.latency / 2)
        fault = self.script.strike(request.action, request.body)
        if fault is None:
            answer = await self._forward(request, upstream)
        else:
            answer = await self._misbehave(fault, request, upstream, client)
        await asyncio.sleep(self.latency / 2)
        return answer

    async def _forward(self, request: Request, upstream: _Upstream) -> Message:
        """Hand on, and some entries of a batch once more."""
        answer = await self._forward_once(request, upstream)
        if struck := self._strike_entries("repeat", request):
            fault, ids = struck
            again = asyncio.create_task(
                self._repeat(batches.only(request, ids), self.script.within(fault.seconds))
            )
            self._repeats.add(again)
            again.add_done_callback(self._repeats.discard)
        return answer

    async def _repeat(self, request: Request, seconds: float) -> None:
        """Nobody waits for the answer; an emulator that is away by then is not waited for."""
        await asyncio.sleep(seconds)
        upstream = _Upstream(*self._upstream)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await upstream.exchange(request)
        finally:
            upstream.close()

    def _strike_entries(self, kind: Kind, request: Request) -> tuple[Fault, frozenset[str]] | None:
        return self.script.strike_entries(
            kind, request.action, request.body, lambda: batches.entry_ids(request)
        )

    async def _forward_once(self, request: Request, upstream: _Upstream) -> Message:
        """Hand on, less the entries of a batch that are to fail."""
        struck = self._strike_entries("partial", request)
        if struck is None:
            return await upstream.exchange(request)
        fault, ids = struck
        rest = request if fault.when == "after" else batches.without(request, ids)
        answer = await upstream.exchange(rest) if rest else None
        return batches.report(request, answer, ids, fault.code)

    async def _misbehave(
        self, fault: Fault, request: Request, upstream: _Upstream, client: StreamReader
    ) -> Message:
        done = await self._forward(request, upstream) if fault.when == "after" else None
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
                return done or await self._forward(request, upstream)
            case "trickle":
                answer = done or await self._forward(request, upstream)
                return replace(answer, seconds=fault.seconds)
            case "hang":
                await client.read()  # returns when the client has given up
                raise HangUp
            case "hang_up":
                raise HangUp
            case "throttle":
                return _error(request, 400, "ThrottlingException")
            case _:
                return _error(request, fault.status, fault.code)


async def _write(writer: StreamWriter, answer: Message) -> None:
    if not answer.seconds:
        writer.write(answer.raw)
        await writer.drain()
        return
    for byte in answer.raw:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(answer.seconds / len(answer.raw))


def _error(request: Request, status: int, code: str) -> Message:
    """An error as the service in question words it."""
    if request.is_form:
        fault = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            "<Message>made by the fault proxy</Message></Error>"
            "<RequestId>fault-proxy</RequestId></ErrorResponse>"
        )
        return response(status, text.encode(), content_type="text/xml")
    body = f'{{"__type":"{code}","message":"made by the fault proxy"}}'
    return response(
        status, body.encode(), content_type="application/x-amz-json-1.0", x_amzn_errortype=code
    )


class _Upstream:
    """The connection to the emulator, opened by the first request that needs it."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def exchange(self, request: Request) -> Message:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(request.raw)
        await writer.drain()
        return await read_response(reader, to=request)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class _ClientReader(asyncio.StreamReader):
    """Says at once when the client has gone, even while nobody reads."""

    def __init__(self, when_gone: Callable[[], None]) -> None:
        super().__init__()
        self._when_gone = when_gone

    def feed_eof(self) -> None:
        super().feed_eof()
        self._when_gone()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self._when_gone()
