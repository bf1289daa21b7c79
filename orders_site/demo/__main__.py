"""`python -m orders_site.demo` (or `make demo`): sets everything up and runs the main job.

It is a program of its own because PostgreSQL must run before Django reads its settings.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

import django

from notifications.local.parts import PartFailed
from notifications.local.processes import ProcessFailed, stopped_by_signals
from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack

RATES = {"EMAIL_RATE_LIMIT": "50/s", "SMS_RATE_LIMIT": "25/s"}
"""Where the environment sets none. The tasks declare what the smallest account has, 5 mails and 3
texts a second: 200 orders would take over a minute. Both are what such accounts grow to."""

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"


def main(arguments: list[str]) -> int:
    """Exit status: 0 all arrived once; 1 lost, doubled or uncalled for; 2 it could not run."""
    given = _arguments(arguments)
    os.chdir(ROOT)
    try:
        with stopped_by_signals(), _stack(given.directory) as stack:
            return _run(stack, given)
    except (PartFailed, ProcessFailed) as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130 if given.exit else 0


def _run(stack: Stack, given: argparse.Namespace) -> int:
    os.environ.update({**RATES, **os.environ, **stack.environment})
    os.environ["DJANGO_SETTINGS_MODULE"] = "orders_site.settings"  # not those of another project
    django.setup()

    from orders_site.demo import house, limits, show

    port = house.web_port(stack.given)
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    _say("preparing the database and the queues …")
    password = house.furnish()
    _say("starting web, relay and workers …")
    opened = house.open_house(stack, port=port, password=password)
    options = show.Options(
        orders=given.orders,
        exit=given.exit,
        json=given.json,
        per_second=given.rate or (None if given.exit else 5.0),
        seed=given.seed,
        trouble=given.trouble,
        manifest=stack.directories.home / "demo" / "manifest.jsonl",
    )
    try:
        with (
            SandboxClient(stack.environment["PROVIDER_SANDBOX_URL"]) as sandbox,
            limits.enforced(sandbox) as enforced,
        ):
            return show.run(options, opened, sandbox, enforced)
    finally:
        opened.close()


def _stack(directory: Path) -> Stack:
    return Stack(directory, shared=LOCAL, tell=_say)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=_count, default=100, help="how many to place (100)")
    parser.add_argument("--rate", type=_rate, help="orders per second (5; with --exit: no limit)")
    parser.add_argument("--seed", type=int, default=1, help="other customers and orders (1)")
    parser.add_argument("--exit", action="store_true", help="end when all is delivered, and judge")
    parser.add_argument(
        "--trouble", action="store_true", help="leave some for you to put right in the admin"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON in the last line")
    parser.add_argument(
        "--directory", type=Path, default=LOCAL, help="keeps data and logs (.local)"
    )
    given = parser.parse_args(arguments)
    if given.trouble and given.exit:
        parser.error(
            "--trouble leaves failures, and --exit is there to find none: give one of them"
        )
    return given


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.01 <= value <= 100_000:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.01 to 100,000")
    return value


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
