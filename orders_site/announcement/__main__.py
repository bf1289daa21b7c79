"""`python -m orders_site.announcement [--recipients N] [--json]`, or `make announcement`."""

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
FEWEST = 100
"""Recipients, for a provider to be down in the middle of them."""


def main() -> int:
    """0: each was told once, within the limits; 1: something is off; 2: it could not run.

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
            passing(LOCAL / "announcement") as directory,
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
    os.environ.update({**_rates(given.mails), **os.environ, **stack.environment})
    os.environ["EMAIL_RATE_LIMIT"] = f"{given.mails}/s"
    os.environ["DJANGO_SETTINGS_MODULE"] = "orders_site.announcement.settings"
    django.setup()

    from orders_site.announcement.story import Story, Unfinished

    story = Story(stack, recipients=given.recipients, seed=given.seed, tell=tell)
    try:
        outcome = story.play()
    except Unfinished as error:
        print(error, file=sys.stderr)
        return 1
    outcome.show(console)
    if given.json:
        print(outcome.as_line())
    return 0 if outcome.good else 1


def _rates(mails: int) -> dict[str, str]:
    """Where the environment sets none: accounts somewhat smaller than the mail's, so that a machine
    of two cores has room for all of them, and it is the mail account that runs at its limit."""
    return {
        "SMS_RATE_LIMIT": f"{0.4 * mails:g}/s",  # of each of the two providers
        "WHATSAPP_RATE_LIMIT": f"{0.8 * mails:g}/s",
        "PUSH_RATE_LIMIT": f"{0.8 * mails:g}/s",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="announcement", description=__doc__)
    parser.add_argument("--recipients", type=_count, default=1000, help="how many (1000)")
    parser.add_argument("--mails", type=_mails, default=50, help="that go out a second (50)")
    parser.add_argument("--seed", type=int, default=1, help="other recipients (1)")
    parser.add_argument("--json", action="store_true", help="the result as JSON in the last line")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not FEWEST <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 100 to 1,000,000")
    return int(text)


def _mails(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
