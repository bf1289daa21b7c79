"""`manage.py relay`: publish what the outbox holds, until told to stop."""

from __future__ import annotations

import logging
import signal
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from notifications.models.dispatch import LEASE
from notifications.relay import PUBLISHERS, ROWS, Relay

_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


class Command(BaseCommand):
    help = (
        "Publish what the outbox holds to SNS and SQS. Run any number of these. "
        "SIGTERM and Ctrl-C stop cleanly. With -v 2, a line of progress and lag every 10 s."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what is due, then exit")
        parser.add_argument(
            "--batch", type=_count, default=ROWS, help="rows to claim at a time (%(default)s)"
        )
        parser.add_argument(
            "--publishers", type=_count, default=PUBLISHERS, help="batches in flight (%(default)s)"
        )
        parser.add_argument(
            "--lease",
            type=_count,
            default=int(LEASE.total_seconds()),
            help="seconds for which a claimed row is this relay's alone (%(default)s)",
        )

    def handle(self, **options: Any) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("notifications").setLevel(_LEVELS[options["verbosity"]])
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # the relay says it, and once
        relay = Relay(
            once=options["once"],
            rows=options["batch"],
            publishers=options["publishers"],
            lease=timedelta(seconds=options["lease"]),
        )
        try:
            with _stopped_by_signals(relay):
                if options["verbosity"] and not options["once"]:
                    self.stdout.write("The relay is ready; Ctrl-C stops it.")
                    self.stdout.flush()
                tally = relay.run()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None
        if options["verbosity"]:
            self.stdout.write(f"published {tally.published}, failed {tally.failed}")
        if options["once"] and tally.failed:
            raise CommandError(f"{tally.failed} could not be published: {tally.last_error}")


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


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r}: give a whole number of 1 or more")
    return int(text)
