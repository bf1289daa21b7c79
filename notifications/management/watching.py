"""Watching: a command that shows the same again and again, until Ctrl-C."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from io import StringIO
from typing import Any

from django.core.management.base import OutputWrapper

from notifications.management.interrupts import until_interrupted

EVERY, LEAST, MOST = 2.0, 0.2, 3600.0
"""Seconds between two looks."""

CLEAR = "\x1b[H\x1b[2J"


def add_watch(parser: ArgumentParser, *, default: Any = None) -> None:
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=EVERY,
        default=default,
        metavar="SECONDS",
        help=f"look again and again, until Ctrl-C (every {EVERY:.0f} s)",
    )


def show(
    write: Callable[[StringIO], None], out: OutputWrapper, *, every: float | None, clear: bool
) -> None:
    """Once, or every so many seconds; `clear` the terminal before each.

    Written at once, so that a terminal that is redrawn does not flicker.
    """
    if every is None:
        _show(write, out, "")
        return
    with until_interrupted() as interrupted:
        while not interrupted.is_set():
            _show(write, out, CLEAR if clear else "")
            interrupted.wait(every)


def _show(write: Callable[[StringIO], None], out: OutputWrapper, before: str) -> None:
    shown = StringIO()
    write(shown)
    out.write(before + shown.getvalue(), ending="")
    out.flush()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST <= seconds <= MOST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from {LEAST:g} to {MOST:g}")
    return seconds
