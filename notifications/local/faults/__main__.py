"""`python -m notifications.local.faults --target http://127.0.0.1:4566 --port 4570`."""

from __future__ import annotations

import argparse
import asyncio
import signal

from notifications.local.faults.proxy import Proxy


async def serve(*, target: str, port: int, latency: float) -> None:
    """Serve until SIGTERM or SIGINT; open connections are dropped."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = await Proxy(target, latency=latency).listen(port)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--target", required=True, help="the emulator's URL")
    parser.add_argument("--port", type=int, required=True, help="the port to listen on, 127.0.0.1")
    parser.add_argument("--latency", type=float, default=0.0, help="added round trip, in seconds")
    asyncio.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
