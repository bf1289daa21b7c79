"""`python -m tests.chaos [--orders N] [--seed N] [--json] [--verbose]`"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from notifications.local.parts import PartFailed
from notifications.local.processes import ProcessFailed, stopped_by_signals
from tests.chaos import lab
from tests.chaos.orders import Orders


def main() -> int:
    """0: nothing lost, nothing done twice; 1: something was; 2: it could not run."""
    given = _arguments()
    console = Console(file=sys.stderr if given.json else sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log has no edge
    scenario = Orders(size=given.orders, seed=given.seed)
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
    parser.add_argument("--orders", type=_count, default=300, help="how many are placed (300)")
    parser.add_argument("--seed", type=int, default=1, help="another schedule (1)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--verbose", action="store_true", help="say each step as it is taken")
    parser.add_argument("--plan", action="store_true", help="print the schedule and do nothing")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100,000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
