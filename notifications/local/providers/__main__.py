"""Run the provider sandbox until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

from aiohttp import web

from notifications.local.providers import certificate, smtp
from notifications.local.providers.google import write_service_account
from notifications.local.providers.sandbox import Sandbox
from notifications.local.providers.server import application
from notifications.local.providers.store import Store
from notifications.local.providers.webhook import DEFAULT_SECRET

BACKLOG = 1024
"""Connections waiting to be taken: many workers open theirs at the same moment."""

SHUTDOWN = 0.5
"""Seconds given at the end to answers that are under way."""


def main() -> int:
    options = _options()
    try:
        asyncio.run(serve(options))
    except (OSError, sqlite3.Error) as error:
        print(f"The provider sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


async def serve(options: argparse.Namespace) -> None:
    """Listen, say where, and serve until told to end."""
    told_to_end = _told_to_end()
    sandbox = Sandbox(Store(options.journal))
    runner = await _runner(sandbox, options)
    try:
        url = await _listen(runner, options)
        mail = await _listen_for_mail(sandbox, options)
        if options.google_credentials:
            write_service_account(
                options.google_credentials,
                token_uri=f"{url}/google/token",
                project_id=options.project_id,
            )
        print(f"Provider sandbox: {url}/ {mail}".rstrip(), flush=True)
        await told_to_end.wait()
    finally:
        await runner.cleanup()
        sandbox.store.close()


async def _runner(sandbox: Sandbox, options: argparse.Namespace) -> web.AppRunner:
    runner = web.AppRunner(
        application(sandbox, webhook_secret=options.webhook_secret),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN,
    )
    await runner.setup()
    return runner


async def _listen(runner: web.AppRunner, options: argparse.Namespace) -> str:
    await web.TCPSite(runner, options.host, options.port, backlog=BACKLOG).start()
    return f"http://{options.host}:{runner.addresses[0][1]}"


async def _listen_for_mail(sandbox: Sandbox, options: argparse.Namespace) -> str:
    if options.smtp_port is None:
        return ""
    tls = certificate.tls(options.host, certificate=options.smtp_certificate)
    server = await smtp.listen(sandbox, options.host, options.smtp_port, tls)
    return f"smtp://{options.host}:{server.sockets[0].getsockname()[1]}"


def _told_to_end() -> asyncio.Event:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m notifications.local.providers")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8025, help="HTTP port; 0 takes a free one")
    parser.add_argument("--smtp-port", type=int, help="SMTP port; 0 takes a free one")
    parser.add_argument(
        "--smtp-certificate",
        type=Path,
        help="write the certificate of the SMTP port's STARTTLS here, for clients to trust",
    )
    parser.add_argument("--journal", type=Path, help="keep what was accepted in this file")
    parser.add_argument(
        "--google-credentials",
        type=Path,
        help="write a service-account file here, with a fresh key and our token endpoint",
    )
    parser.add_argument("--project-id", default="sandbox", help="in the service-account file")
    parser.add_argument(
        "--webhook-secret", default=DEFAULT_SECRET, help="whsec_… that webhooks are signed with"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
