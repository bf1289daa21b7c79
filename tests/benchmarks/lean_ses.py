"""A provider that costs next to nothing: `python lean_ses.py SECONDS`

It speaks SES API v2's SendEmail: takes every mail and answers after SECONDS; any GET is told
how many it took. The provider sandbox reads, checks and keeps each mail, for as much CPU as
sending it took, on the two cores that the measured process has to share with everything.
"""

from __future__ import annotations

import asyncio
import re
import sys

HOST = "127.0.0.1"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

taken = 0


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        self._take(head)

    def _take(self, head: bytes) -> None:
        global taken
        if head.startswith(b"GET"):
            self._answer(b'{"taken":%d}' % taken)
            return
        taken += 1
        answer = b'{"MessageId":"bench-%d"}' % taken
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._answer, answer)
        else:
            self._answer(answer)

    def _answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def main(seconds: float) -> None:
    """Until it is ended. Prints its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seconds), HOST, 0, backlog=1024)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
