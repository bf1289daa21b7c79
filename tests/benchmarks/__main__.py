"""`python -m tests.benchmarks [--only NAME] [--json]`"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping

from rich.console import Console

from notifications.local.parts import PartFailed
from notifications.local.processes import stopped_by_signals
from tests.benchmarks import (
    admin_pages,
    announcement,
    backlog,
    consumer_empty_task,
    consumer_with_records,
    order_request,
    rate_limits,
)
from tests.benchmarks.result import Result, show

BENCHMARKS: Mapping[str, Callable[[Callable[[str], None]], Result]] = {
    "consumer_empty_task": consumer_empty_task.run,
    "consumer_with_records": consumer_with_records.run,
    "rate_limits": rate_limits.run,
    "backlog": backlog.run,
    "order_request": order_request.run,
    "announcement": announcement.run,
    "admin_pages": admin_pages.run,
}


def main() -> int:
    """0 when every target held, 1 when one was missed or a part could not start."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", choices=BENCHMARKS, help="run this one alone")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(BENCHMARKS)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log has no edge
    try:
        with stopped_by_signals():
            results = {name: _run(name, console) for name in chosen}
    except PartFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps({name: result.as_json() for name, result in results.items()}))
    return 0 if all(all(result.targets.values()) for result in results.values()) else 1


def _run(name: str, console: Console) -> Result:
    with console.status(name) as status:

        def progress(step: str) -> None:
            status.update(f"{name}: {step}")
            if not console.is_terminal:
                console.print(f"{name}: {step}")

        result = BENCHMARKS[name](progress)
    show(console, name, result)
    return result


if __name__ == "__main__":
    sys.exit(main())
