"""`python -m orders_site.blackfriday [--orders N] [--seed N] [--json]`, or `make blackfriday`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import django
from rich.console import Console

from notifications.local.directories import passing
from notifications.local.parts import PartFailed
from notifications.local.processes import ProcessFailed, stopped_by_signals
from notifications.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"

RATES = {"EMAIL_RATE_LIMIT": "200/s", "SMS_RATE_LIMIT": "100/s"}
"""Where the environment sets none: what a large shop's accounts have."""
FEWEST = 20
"""Orders, for twelve of them to be the few."""


def main() -> int:
    """0: all came home, none twice; 1: something was lost, done twice or left; 2: it could not run.

    On parts of its own, thrown away at the end: what an earlier run left would be told with it.
    """
    given = _arguments()
    console = Console(file=sys.stderr if given.json else sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log has no edge
    os.chdir(ROOT)
    tell = partial(console.print, markup=False, soft_wrap=True)
    try:
        with (
            stopped_by_signals(),
            passing(LOCAL / "blackfriday") as directory,
            Stack(directory, shared=LOCAL, given={}, tell=tell) as stack,
        ):
            return _run(stack, given, console, tell)
    except (PartFailed, ProcessFailed) as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(
    stack: Stack, given: argparse.Namespace, console: Console, tell: Callable[[str], None]
) -> int:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # nobody's real account
    os.environ.update({**RATES, **os.environ, **stack.environment})
    os.environ["DJANGO_SETTINGS_MODULE"] = "orders_site.settings"
    django.setup()

    from orders_site.blackfriday.story import Story, Unfinished

    story = Story(stack, orders=given.orders, seed=given.seed, tell=tell)
    try:
        outcome = story.play()
    except Unfinished as error:
        print(error, file=sys.stderr)
        return 1
    outcome.show(console)
    if given.json:
        print(outcome.as_line())
    return 0 if outcome.good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="blackfriday", description=__doc__)
    parser.add_argument("--orders", type=_count, default=500, help="how many are placed (500)")
    parser.add_argument("--seed", type=int, default=1, help="other customers and orders (1)")
    parser.add_argument("--json", action="store_true", help="the result as JSON in the last line")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not FEWEST <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 20 to 100,000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
