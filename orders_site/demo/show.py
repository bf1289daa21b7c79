"""One run of the demo: place, watch, judge."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import DatabaseError
from rich.console import Console
from rich.live import Live

from notifications.local.parts import PartFailed
from notifications.local.providers.client import SandboxClient
from orders_site.demo import trouble
from orders_site.demo.house import House
from orders_site.demo.limits import Limits, Pace
from orders_site.demo.manifest import Call, Manifest
from orders_site.demo.progress import Baseline, Progress, Snapshot
from orders_site.demo.rush import Rush
from orders_site.demo.till import Takings, Till, count
from orders_site.demo.underway import messages_under_way
from orders_site.demo.verdict import Verdict, judge

REFRESH = 0.5
PATIENCE = 240.0
"""Seconds in which nothing at all moves, after which the run is judged as it stands: longer than
the visibility timeout (60 s), because a message that a dying worker held comes back after that."""
QUIET = 2.0
"""Seconds to look on after the last call was answered: a doubled message would come now."""

SETTLED = 5.0
"""Seconds after which a run in which no message is under way any more is judged, whatever lacks."""

THROTTLE = "throttle"
TROUBLE = {
    "email": THROTTLE,
    "sms": "server_error",
    "push": "server_error",
    "payments": "accept_then_drop",
}
"""What each provider does to a few requests at first, so that attempts and retries can be seen. The
payment provider charges and does not say so: whoever asked must find out, not ask again."""
TROUBLES = 3


@dataclass(frozen=True)
class Options:
    orders: int
    exit: bool
    json: bool
    per_second: float | None
    seed: int
    trouble: bool
    manifest: Path


def run(options: Options, house: House, sandbox: SandboxClient, limits: Limits) -> int:
    """Run to the end (or to Ctrl-C); returns the exit status."""
    console = Console(file=sys.stderr if options.json else sys.stdout)
    manifest = Manifest(options.manifest)
    progress = Progress(
        orders_wanted=options.orders, addresses=house.addresses, limits=limits.words
    )
    started = datetime.now(UTC)
    baseline = Baseline.now()
    for channel, behaviour in TROUBLE.items():
        sandbox.script(channel, behaviour, times=TROUBLES)
    till = Till()
    rush = Rush(
        manifest, till, orders=options.orders, per_second=options.per_second, seed=options.seed
    )
    rush.start()
    if options.trouble:
        trouble.stir_up(sandbox, seed=options.seed)

    def look() -> Snapshot:
        house.look(at_all=options.exit)
        if rush.error is not None:
            raise rush.error
        return baseline.snapshot(orders=rush.placed)

    def done(seen: Snapshot, quiet: float) -> bool:
        if not options.exit or rush.is_alive():
            return False
        if quiet > PATIENCE:
            return True
        if seen.open or seen.published < seen.events:
            return False
        complete = (
            judge(manifest, _accepted(sandbox)).complete
            and not count(till, sandbox.charges()).unsettled
        )
        return complete or (quiet > SETTLED and not messages_under_way())

    try:
        with _Display(console, progress) as show:
            _watch(look, show, until=done)
    except KeyboardInterrupt:
        if options.exit:
            raise
        console.print("Ended; closing the house …")
    except (DatabaseError, OSError) as error:  # the database is gone, or the disk is full
        house.look(at_all=False)
        raise PartFailed(f"The demo cannot go on: {str(error).splitlines()[0]}") from None
    finally:
        rush.stop()
        manifest.close()
    if not options.exit:
        return 0
    verdict = judge(manifest, _accepted(sandbox))
    paces = [
        limits.pace(channel, since=started, scripted=_scripted(channel)) for channel in limits.rates
    ]
    takings = count(till, sandbox.charges())
    _report(console, options, look(), verdict, takings, paces, progress.seconds)
    return 0 if verdict.good and takings.good else 1


def _watch(
    look: Callable[[], Snapshot],
    show: Callable[[Snapshot], None],
    *,
    until: Callable[[Snapshot, float], bool],
) -> None:
    """Show what happens until `until(snapshot, seconds in which nothing moved)` holds."""
    last, moved_at = look(), time.monotonic()
    while True:
        time.sleep(REFRESH)
        seen = look()
        show(seen)
        if seen != last:
            last, moved_at = seen, time.monotonic()
        quiet = time.monotonic() - moved_at
        if quiet > QUIET and until(seen, quiet):
            return


class _Display:
    """A live table in a terminal, a line every few seconds elsewhere."""

    EVERY = 5.0

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._said = 0.0

    def __enter__(self) -> Callable[[Snapshot], None]:
        if self._live is None:
            for name, address in self._progress.addresses.items():
                self._console.print(f"{name}: {address}", soft_wrap=True, highlight=False)
            self._console.print(f"limits: {self._progress.limits}", soft_wrap=True, highlight=False)
            return self._say
        self._live.start()
        return self._draw

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _draw(self, snapshot: Snapshot) -> None:
        if self._live is not None:
            self._live.update(self._progress.draw(snapshot), refresh=True)

    def _say(self, snapshot: Snapshot) -> None:
        if self._progress.seconds - self._said >= self.EVERY:
            self._said = self._progress.seconds
            self._console.print(self._progress.line(snapshot), soft_wrap=True, highlight=False)


def _accepted(sandbox: SandboxClient) -> list[Call]:
    return [
        Call(message.subject, message.event_type, message.channel, message.address)
        for message in sandbox.accepted()
    ]


def _scripted(channel: str) -> int:
    return TROUBLES if TROUBLE.get(channel) == THROTTLE else 0


def _report(
    console: Console,
    options: Options,
    seen: Snapshot,
    verdict: Verdict,
    takings: Takings,
    paces: Sequence[Pace],
    seconds: float,
) -> None:
    result = {
        "orders": seen.orders,
        "events": seen.events,
        "deliveries": seen.deliveries,
        "attempts": seen.attempts,
        "expected": verdict.expected,
        "accepted": verdict.accepted,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "uncalled": len(verdict.uncalled),
        "payments": takings.as_json,
        "seconds": round(seconds, 1),
        "limits": {pace.channel: pace.as_json for pace in paces},
    }
    console.print(
        f"{seen.orders} orders, {seen.events} events, {seen.attempts} attempts; "
        f"{verdict.expected} messages called for, {verdict.accepted} accepted by the providers "
        f"in {seconds:.1f} s: {len(verdict.lost)} lost, {len(verdict.doubled)} doubled, "
        f"{len(verdict.uncalled)} uncalled for.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{takings.charged} orders charged, of {takings.refunded} something went back: "
        f"{len(takings.doubled)} charged or refunded twice, {len(takings.unsettled)} not settled.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        "Units in the busiest second, of the limit: " + "; ".join(map(str, paces)) + ".",
        highlight=False,
        soft_wrap=True,
    )
    for what in ("lost", "doubled", "uncalled"):
        for call in getattr(verdict, what)[:10]:
            console.print(f"  {what}: {call.event_type} {call.subject} by {call.channel}")
    for what in ("doubled", "unsettled"):
        for subject in getattr(takings, what)[:10]:
            console.print(f"  {what}: the payment of {subject}")
    if options.json:
        print(json.dumps(result))
