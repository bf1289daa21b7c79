"""The fault proxy's HTTP, on bytes."""

from __future__ import annotations

import asyncio

import pytest

from notifications.local.faults.http import Message, Request, read_request, read_response

GET = Request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"")


def _response(raw: bytes, *, to: Request = GET) -> Message:
    async def read() -> Message:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return await read_response(reader, to=to)

    return asyncio.run(read())


def test_a_body_of_known_length_is_handed_on_byte_for_byte() -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Y: z\r\n\r\nhello"

    assert _response(raw + b"of the next answer").raw == raw


def test_a_chunked_body_is_put_together_and_framed_by_its_length() -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Y: z\r\n\r\n"
        b"5;extension\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
    )

    answer = _response(raw)

    assert answer.body == b"hello world"
    assert answer.head == b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 11\r\n\r\n"


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert _response(b"HTTP/1.0 200 OK\r\n\r\nhello").body == b"hello"


@pytest.mark.parametrize(
    ("raw", "to"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", GET),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            Request(b"HEAD / HTTP/1.1\r\n\r\n", b""),
        ),
    ],
)
def test_some_answers_have_no_body(raw: bytes, to: Request) -> None:
    assert _response(raw, to=to).raw == raw


@pytest.mark.parametrize("raw", [b"", b"POST / HTTP/1.1\r\nHost:"])
def test_a_client_that_leaves_asks_nothing(raw: bytes) -> None:
    async def read() -> Request | None:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return await read_request(reader)

    assert asyncio.run(read()) is None


@pytest.mark.parametrize(
    ("head", "body", "action"),
    [
        (b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n\r\n", b"{}", "SendMessage"),
        (
            b"POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n",
            b"Version=2010-03-31&Action=PublishBatch&X=Y",
            "PublishBatch",
        ),
        (
            b"POST /v2/email/outbound-emails?x=y HTTP/1.1\r\nHost: h\r\n\r\n",
            b"{}",
            "POST /v2/email/outbound-emails",
        ),
    ],
)
def test_a_request_is_known_by_its_action(head: bytes, body: bytes, action: str) -> None:
    assert Request(head, body).action == action
