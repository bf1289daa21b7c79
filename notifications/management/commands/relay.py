"""`manage.py relay`: publish what the outbox holds, until told to stop."""

from __future__ import annotations

import logging
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications import liveness, log_config, log_lines, process_server, readiness
from notifications.metrics import start
from notifications.models.dispatch import LEASE
from notifications.publishing import PUBLISHERS
from notifications.relay import ROWS, Relay

MOST_ROWS, MOST_PUBLISHERS = 10_000, 1000
MOST_LEASE = 24 * 3600
"""Seconds: what a relay that died has claimed waits for so long."""

_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


class Command(BaseCommand):
    help = (
        "Publish what the outbox holds to SNS and SQS. Run any number of these. "
        "SIGTERM and Ctrl-C stop cleanly. With -v 2, a line of progress and lag every 10 s."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what is due, then exit")
        parser.add_argument(
            "--batch",
            type=_upto(MOST_ROWS),
            default=ROWS,
            help="rows to claim at a time (%(default)s)",
        )
        parser.add_argument(
            "--publishers",
            type=_upto(MOST_PUBLISHERS),
            default=PUBLISHERS,
            help="batches in flight (%(default)s)",
        )
        parser.add_argument(
            "--lease",
            type=_upto(MOST_LEASE),
            default=int(LEASE.total_seconds()),
            help="seconds for which a claimed row is this relay's alone (%(default)s)",
        )

    def handle(self, **options: Any) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        log_config.hush()
        logging.getLogger("notifications").setLevel(_LEVELS[options["verbosity"]])
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # the relay says it, and once
        if not options["once"]:
            start.begin()
        relay = Relay(
            once=options["once"],
            rows=options["batch"],
            publishers=options["publishers"],
            lease=timedelta(seconds=options["lease"]),
        )
        try:
            with _stopped_by_signals(relay):
                if not options["once"]:
                    asked_at = _answer_for(relay)
                    if options["verbosity"]:
                        self._say(f"The relay is ready{asked_at}; Ctrl-C stops it.")
                tally = relay.run()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if options["verbosity"]:
            self._say(f"published {tally.published}, failed {tally.failed}")
        if options["once"] and tally.failed:
            raise CommandError(f"{tally.failed} could not be published: {tally.last_error}")

    def _say(self, text: str) -> None:
        """In a log of JSON, as a line of it."""
        if log_lines.is_json():
            logging.getLogger("relay").info(text)
        else:
            self.stdout.write(text)
            self.stdout.flush()


def _answer_for(relay: Relay) -> str:
    """Say over HTTP how it does, where that is asked for; and a word about it."""
    server = process_server.listen()
    if server is None:
        return ""
    process_server.register(liveness.PATH, lambda: liveness.answer(relay.pulse.why_dead()))
    process_server.register(
        readiness.PATH, lambda: readiness.answer(strict=True, stuck=relay.is_stuck)
    )
    server.start()
    return f", and says how it does at {server.url}/healthz"


@contextmanager
def _stopped_by_signals(relay: Relay) -> Iterator[None]:
    before = {
        number: signal.signal(number, lambda *_: relay.stop())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _upto(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r}: give a whole number from 1 to {most}")
        return int(text)

    return read
