"""What commands share that change something: who does it and why, by which door, plain errors."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone

from notifications import audit
from notifications.recipients import is_address
from notifications.texts import is_keepable

MOST_REASON = 255
"""Characters of a reason, as the rows keep it."""

MOST_OVERLAP = 30 * 24
"""Hours in which two secrets may be good at once."""

WRONG_USE = 2
"""Exit status, argparse's too."""

Read = TypeVar("Read")


@contextmanager
def plain_refusals() -> Iterator[None]:
    """What the database refuses is said in a sentence, also that it is away."""
    try:
        yield
    except DatabaseError as error:
        raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None


class PlainCommand(BaseCommand):
    """It refuses words that nothing can be compared with: what a terminal of another encoding makes
    of an umlaut, and a NUL."""

    def execute(self, *args: Any, **options: Any) -> Any:
        for text in _texts(list(options.values())):
            if not is_keepable(text):
                raise CommandError(
                    f"{text[:40]!r} holds a NUL or half a character: type it in UTF-8.",
                    returncode=WRONG_USE,
                )
        return super().execute(*args, **options)


class ChangingCommand(PlainCommand):
    """What it does is audited as done on the command line."""

    def execute(self, *args: Any, **options: Any) -> Any:
        with audit.through(audit.Door.COMMAND):
            return super().execute(*args, **options)


class VerbCommand(ChangingCommand):
    """A subclass adds its verbs in `add_verbs`, and does them in `do`."""

    verbs: tuple[str, ...]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        self.add_verbs(parser.add_subparsers(dest="verb", metavar=" | ".join(self.verbs)))

    def add_verbs(self, verbs: Any) -> None:
        """`verbs.add_parser(…)` for each."""
        raise NotImplementedError

    def do(self, verb: str, **options: Any) -> None:
        """What the verb asks for; `list` when none was given, with the options it did not get."""
        raise NotImplementedError

    @plain_refusals()
    def handle(self, *, verb: str | None, **options: Any) -> None:
        try:
            self.do(verb or "list", **options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None


def listing(verbs: Any, name: str = "list", *, help: str) -> CommandParser:
    """A verb that takes `--json`. That may stand before it, too: no default goes over it."""
    parser: CommandParser = verbs.add_parser(name, help=help)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object"
    )
    return parser


def add_changing(parser: argparse.ArgumentParser, *, reason: str = "", needed: bool = True) -> None:
    """What every verb that changes something takes. `reason`: what to say of it; empty: it has
    none."""
    add_who(parser, reason=reason, needed=needed)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def add_who(parser: argparse.ArgumentParser, *, reason: str = "", needed: bool = False) -> None:
    """What is audited: who does it, and why."""
    if reason:
        parser.add_argument("--reason", required=needed, type=reason_text, help=reason)
    parser.add_argument("--by", default="", help="who does it (the system's user)")


def whoever(by: str | None) -> str:
    """Who was named by `--by`, or else whom the system knows this process by."""
    try:
        return by or getuser()
    except (KeyError, OSError):  # a container's user has a number and, often, no name
        return f"uid {os.getuid()}"


def local_moment(when: datetime) -> str:
    """In the shop's time zone, to the second."""
    return timezone.localtime(when).strftime("%Y-%m-%d %H:%M:%S")


def read_by(reader: Callable[[str], Read]) -> Callable[[str], Read]:
    """An argument's type, of what raises ValueError with a sentence: argparse would keep that."""

    def read(text: str) -> Read:
        try:
            return reader(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def up_to(most: int) -> Callable[[str], int]:
    """An argument's type: a whole number from 1."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 19 and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r} is not a whole number from 1 to {most}"
            )
        return int(text)

    return read


def reference_text(text: str) -> str:
    """A person's reference. An address in its place would find nobody, and be kept as a name."""
    if not 0 < len(text.strip()) <= MOST_REASON:
        raise argparse.ArgumentTypeError(f"give 1 to {MOST_REASON} characters")
    if is_address(text):
        raise argparse.ArgumentTypeError(
            "this is an address; give the reference, as the shop names them: customer/42 "
            "(`manage.py told` finds it by the address)"
        )
    return text.strip()


def overlap_hours(text: str) -> timedelta:
    """For how long an old secret is good beside its successor."""
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= MOST_OVERLAP:
        raise argparse.ArgumentTypeError(f"give 0 to {MOST_OVERLAP} hours")
    return timedelta(hours=hours)


def reason_text(text: str) -> str:
    if not 0 < len(text.strip()) <= MOST_REASON:
        raise argparse.ArgumentTypeError(f"give 1 to {MOST_REASON} characters")
    return text.strip()


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() | Path():
            yield str(value)
        case list() | tuple():
            for each in value:
                yield from _texts(each)
