"""The day, act by act. Each waits for what it shows, and none goes on if it never comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from django.core.management import call_command
from django.utils import timezone

from notifications import topology
from notifications.channels.receipts import consumer as receipts
from notifications.local.providers.client import SandboxClient
from notifications.local.sandbox import send_receipts
from notifications.local.stack import Stack
from notifications.models import Job
from orders_site.blackfriday.crew import Crew
from orders_site.blackfriday.outcome import Outcome
from orders_site.blackfriday.sale import BAD, CURRENCY, Sale
from orders_site.blackfriday.standing import Standing, Watch
from orders_site.demo import books
from orders_site.demo.manifest import Manifest
from orders_site.inventory.samples import stock_up
from orders_site.orders.samples import Samples

LOOK = 0.25
SHARE = 9.0
"""A look costs everybody something: the next is so many times its length later."""
SAID_EVERY = 5.0
PATIENCE = 180.0
"""Seconds in which nothing at all moves, after which the rest is not waited for."""
QUIET = 2.0
"""Seconds to look on after the last of it: what is done twice would be done now."""

Tell = Callable[[str], None]


class Unfinished(RuntimeError):
    """Something that the day is about never happened."""


class Story:
    """`play()` it once, on a stack that has just been started."""

    def __init__(self, stack: Stack, *, orders: int, seed: int, tell: Tell) -> None:
        self._stack = stack
        self._orders = orders
        self._seed = seed
        self._tell = tell
        self._manifest = Manifest(stack.directories.home / "manifest.jsonl")

    def play(self) -> Outcome:
        """Raises Unfinished, ProcessFailed."""
        began = time.monotonic()
        self._tell("preparing the database and the queues …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("provision", verbosity=0)
        send_receipts(self._stack.environment, topology.current().topic(receipts.NAME).physical)
        crew = Crew(self._stack)
        self._keep_stock()
        with (
            SandboxClient(self._stack.environment["PROVIDER_SANDBOX_URL"]) as self._sandbox,
            closing(self._manifest),
            closing(crew),
        ):
            self._watch = Watch(self._manifest, self._sandbox)
            self._open_the_day(crew)
            sale = self._rush()
            dead = self._look_at_the_dead_letters(crew)
            mended_at = self._mend()
            redriven = self._redrive(crew, dead)
            self._let_analytics_catch_up(crew)
            return Outcome.of(
                sale,
                self._manifest,
                self._sandbox,
                dead_lettered=dead["count"],
                redriven=redriven,
                mended_at=mended_at,
                stocked=self._stocked,
                seconds=time.monotonic() - began,
            )

    def _keep_stock(self) -> None:
        stock_up(Samples(self._seed).catalogue())
        self._stocked = books.on_hand()

    def _open_the_day(self, crew: Crew) -> None:
        self._tell("starting the relay and the workers; nobody starts the one for analytics …")
        self._sandbox.refuse_currency(CURRENCY)
        crew.open()

    def _rush(self) -> Sale:
        """Until all but the bad ones are paid, and everybody is told what can be told."""
        self._tell(f"\nBlack Friday: {self._orders:,} customers order at once")
        sale = Sale(self._manifest, orders=self._orders, seed=self._seed)
        sale.start()

        def over(now: Standing) -> bool:
            if sale.error is not None:
                raise sale.error
            return (
                not sale.is_alive()
                and now.orders == self._orders
                and now.dead_letters == BAD
                and not now.waiting
                and self._watch.told_all_but(sale.bad)
            )

        self._wait("the rush to be over", over)
        return sale

    def _look_at_the_dead_letters(self, crew: Crew) -> dict[str, object]:
        """What an operator sees; the group of them, as a program reads it."""
        self._tell("\nAn operator looks")
        self._type(crew, "dead_letters", "group")
        _, printed = crew.type("dead_letters", "group", "--json")
        groups = json.loads(printed)["groups"]
        if len(groups) != 1:
            raise Unfinished(f"The dead letters have {len(groups)} causes, and not the one.")
        [group] = groups
        return dict(group)

    def _mend(self) -> datetime:
        self._tell(f"\nThe payment account is enabled for {CURRENCY}")
        self._sandbox.take_currency(CURRENCY)
        return timezone.now()

    def _redrive(self, crew: Crew, group: dict[str, object]) -> int:
        """How many were done by it."""
        cause = str(group["fingerprint"])
        reason = f"the payment account takes {CURRENCY} now"
        self._type(crew, "redrive", "--fingerprint", cause, "--reason", reason)
        self._wait("everybody to be told", lambda now: self._watch.told_all_but([]))
        return int(Job.objects.latest("id").counts.get("done", 0))

    def _let_analytics_catch_up(self, crew: Crew) -> None:
        self._tell("\nSomebody starts the worker for analytics")
        crew.call_the_latecomer()
        self._wait("analytics to catch up", lambda now: not (now.behind or now.waiting))
        end = time.monotonic() + QUIET
        self._wait("the last second thoughts", lambda now: time.monotonic() > end)

    def _type(self, crew: Crew, *words: str) -> None:
        """As an operator would, seeing what they would see."""
        typed = " ".join(f'"{word}"' if " " in word else word for word in words)
        self._tell(f"$ manage.py {typed}")
        status, printed = crew.type(*words)
        self._tell(printed)
        if status:
            raise Unfinished(f"manage.py {words[0]} ended with {status}.")

    def _wait(self, what: str, over: Callable[[Standing], bool]) -> None:
        """Saying every few seconds how it stands. Raises Unfinished once nothing moves."""
        last, moved_at, said_at = None, time.monotonic(), time.monotonic()
        while True:
            looked_at = time.monotonic()
            now = self._watch.look()
            if over(now):
                self._tell(f"  {now}")
                return
            moment = time.monotonic()
            if now.moving != last:
                last, moved_at = now.moving, moment
            if moment - moved_at > PATIENCE:
                raise Unfinished(f"Waited for {what}, and nothing moves: {now}")
            if moment - said_at > SAID_EVERY:
                self._tell(f"  {now}")
                said_at = moment
            time.sleep(max(LOOK, SHARE * (moment - looked_at)))
