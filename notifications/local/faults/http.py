"""Just enough HTTP/1.1 to stand between an SDK and a server without slowing either.

A message is kept as it came (head and body, bytes); only what a fault must know is
looked up in it. Framing is by Content-Length, by chunks, or by the end of the connection.
"""

from __future__ import annotations

import re
from asyncio import IncompleteReadError, StreamReader
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar
from urllib.parse import parse_qs

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_FORM = re.compile(rb"\r\ncontent-type:[ \t]*application/x-www-form-urlencoded", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target:[^\r]*\.(\w+)", re.IGNORECASE)
_FORM_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")

_Message = TypeVar("_Message", bound="Message")


@dataclass(frozen=True)
class Message:
    """One request or response. `head` runs up to and including the empty line.

    seconds: how long its bytes take to be written, one after the other.
    """

    head: bytes
    body: bytes
    seconds: float = 0.0

    @property
    def raw(self) -> bytes:
        return self.head + self.body

    def with_body(self: _Message, body: bytes) -> _Message:
        """The same message around another body, framed by its length."""
        bare = _CHUNKED.sub(b"", _LENGTH.sub(b"", self.head))
        length = b"\r\nContent-Length: %d" % len(body)
        return replace(self, head=bare[: -len(_END)] + length + _END, body=body)


@dataclass(frozen=True)
class Request(Message):
    """What a client asked. `action` is what rules and counts go by."""

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def is_form(self) -> bool:
        """The query protocol (SNS); otherwise JSON (SQS) or plain REST (SES v2)."""
        return _FORM.search(self.head) is not None

    @cached_property
    def action(self) -> str:
        """The AWS action ("ReceiveMessage"), or "POST /path" of an API that names none."""
        if target := _TARGET.search(self.head):
            return target[1].decode()
        if self.is_form and (action := _FORM_ACTION.search(self.body)):
            return action[1].decode()
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def form(self) -> dict[str, str]:
        fields = parse_qs(self.body.decode(), keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}


def response(status: int, body: bytes, *, content_type: str, **headers: str) -> Message:
    """A response of our own; `x_amzn_errortype="…"` becomes the header `x-amzn-errortype`."""
    lines = [f"HTTP/1.1 {status} ", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Message("\r\n".join(lines).encode() + _END, b"").with_body(body)


async def read_request(reader: StreamReader) -> Request | None:
    """The next request of a kept-alive connection, or None when the client has closed it."""
    try:
        head = await reader.readuntil(_END)
    except IncompleteReadError:
        return None
    return Request(head, await _framed_body(reader, head) or b"")


async def read_response(reader: StreamReader, *, to: Request) -> Message:
    """The answer to `to`, whole."""
    head = await reader.readuntil(_END)
    if to.method == "HEAD" or head.split(b" ", 2)[1] in (b"204", b"304"):
        return Message(head, b"")
    body = await _framed_body(reader, head)
    if body is None:
        return Message(head, b"").with_body(await reader.read())
    return Message(head, b"").with_body(body) if _CHUNKED.search(head) else Message(head, body)


async def _framed_body(reader: StreamReader, head: bytes) -> bytes | None:
    if length := _LENGTH.search(head):
        return await reader.readexactly(int(length[1]))
    if _CHUNKED.search(head):
        return b"".join([chunk async for chunk in _chunks(reader)])
    return None


async def _chunks(reader: StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readline()).partition(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():  # trailers
        pass
