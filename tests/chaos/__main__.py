"""`python -m tests.chaos [--orders N | --recipients N] [--seed N] [--json] [--verbose]`"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from notifications.local.parts import PartFailed
from notifications.local.processes import ProcessFailed, stopped_by_signals
from tests.chaos import lab
from tests.chaos.announcements import Announcements
from tests.chaos.orders import Orders


def main() -> int:
    """0: nothing lost, nothing done twice; 1: something was; 2: it could not run."""
    given = _arguments()
    console = Console(file=sys.stderr if given.json else sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log has no edge
    scenario = (
        Announcements(size=given.recipients, seed=given.seed)
        if given.recipients
        else Orders(size=given.orders, seed=given.seed)
    )
    if given.plan:
        for step in scenario.plan():
            console.print(str(step))
        return 0
    try:
        with stopped_by_signals():
            report = lab.run(scenario, verbose=given.verbose, tell=console.print)
    except (PartFailed, ProcessFailed, lab.NotPlaced) as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    report.show(console)
    if given.json:
        print(report.as_line())
    return 0 if report.good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--orders", type=_count, default=300, help="how many are placed (300)")
    what.add_argument("--recipients", type=_count, help="of one announcement, instead of orders")
    parser.add_argument("--seed", type=int, default=1, help="another schedule (1)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--verbose", action="store_true", help="say each step as it is taken")
    parser.add_argument("--plan", action="store_true", help="print the schedule and do nothing")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10,000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
