"""`python -m tests.soak [--minutes N] [--seed N] [--json] [--verbose]`"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from notifications.local.parts import PartFailed
from notifications.local.processes import ProcessFailed, stopped_by_signals
from tests.chaos.lab import NotPlaced
from tests.soak.run import run


def main() -> int:
    """0: nothing grows, nothing is lost or done twice; 1: something does; 2: it could not run."""
    given = _arguments()
    console = Console(file=sys.stderr if given.json else sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log has no edge
    try:
        with stopped_by_signals():
            outcome = run(
                minutes=given.minutes, seed=given.seed, verbose=given.verbose, tell=console.print
            )
    except (PartFailed, ProcessFailed, NotPlaced) as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    outcome.show(console)
    if given.json:
        print(outcome.as_line())
    return 0 if outcome.good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=_minutes, default=20.0, help="of the soak itself (20)")
    parser.add_argument("--seed", type=int, default=1, help="other orders and faults (1)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--verbose", action="store_true", help="say each fault as it is made")
    return parser.parse_args()


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 1 <= minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes from 1 to 1440")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
