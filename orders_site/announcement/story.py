"""The announcement, from its order to its last message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from django.core.management import call_command
from django.utils import timezone

from notifications import announcement_progress, announcements
from notifications.announcement_progress import Standing, lane_in_words
from notifications.local.providers.client import AcceptedMessage, SandboxClient
from notifications.local.stack import Stack
from notifications.models import Announcement, DeadLetter
from orders_site.announcement.crew import Crew
from orders_site.announcement.memory import Memory
from orders_site.announcement.outcome import Failover, Outcome, bound, by_sender
from orders_site.announcement.recipients import NEWS, Orders, invite
from orders_site.announcement.settings import SENDERS
from orders_site.demo.limits import Limits, enforced
from orders_site.demo.manifest import Call, Manifest
from orders_site.demo.verdict import Verdict, judge
from orders_site.inventory.samples import stock_up
from orders_site.orders.samples import Samples

DOWN, UP = 0.25, 0.4
"""The shares of all text messages between which the one provider is down."""
KILLED = 1 / 3
"""The share of all messages after which the relay is killed."""
LARGE = 1000
"""Recipients, from which on it is: a smaller run would have to wait for its lease to end."""
LOOK = 0.25
SAMPLED_EVERY, ORDERED_EVERY, SAID_EVERY = 1.0, 2.0, 5.0
PATIENCE = 180.0
"""Seconds in which nothing at all moves, after which the rest is not waited for."""
QUIET = 2.0
"""Seconds to look on after the last of it: what is done twice would be done now."""

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}

Tell = Callable[[str], None]


class Unfinished(RuntimeError):
    """Something that it is about never happened."""


class Story:
    """`play()` it once, on a stack that has just been started."""

    def __init__(self, stack: Stack, *, recipients: int, seed: int, tell: Tell) -> None:
        self._stack = stack
        self._recipients = recipients
        self._seed = seed
        self._tell = tell
        self._manifest = Manifest(stack.directories.home / "manifest.jsonl")
        self._memory = Memory()
        self._down_at: datetime | None = None
        self._up_at: datetime | None = None
        self._killed = False

    def play(self) -> Outcome:
        """Raises Unfinished, ProcessFailed."""
        self._tell("preparing the database, the queues and the recipients …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("provision", verbosity=0)
        stock_up(Samples(self._seed).catalogue())
        invite(self._manifest, count=self._recipients, seed=self._seed)
        self._texts = sum(call.channel == "sms" for call in self._called_for)
        self._orders = Orders(self._manifest, seed=self._seed)
        self._crew = Crew(self._stack)
        with (
            SandboxClient(self._stack.environment["PROVIDER_SANDBOX_URL"]) as self._sandbox,
            closing(self._manifest),
            closing(self._crew),
            enforced(self._sandbox) as limits,
        ):
            self._tell(f"starting a relay and the workers; limits: {limits.words}")
            self._crew.open()
            began, began_at = time.monotonic(), timezone.now()
            number = self._announce()
            self._see_through(number)
            seconds = time.monotonic() - began
            self._wait_for_the_orders()
            time.sleep(QUIET)
            return self._outcome(limits, began_at, seconds)

    def _announce(self) -> int:
        """As an operator would; what it is known by."""
        offer = json.dumps(OFFER)
        words = [NEWS, "--audience", "customers", "--data", offer, "--reason", "the spring sale"]
        self._tell(f"$ manage.py announce {NEWS} --audience customers --data '{offer}' …")
        status, printed = self._crew.type("announce", *words)
        self._tell(printed)
        if status:
            raise Unfinished(f"manage.py announce ended with {status}.")
        return int(Announcement.objects.latest("id").pk)

    def _see_through(self, number: int) -> None:
        """Until nothing of it is left, with all that happens meanwhile."""
        moved_at = sampled_at = ordered_at = said_at = time.monotonic()
        last: object = None
        while True:
            time.sleep(LOOK)
            now = time.monotonic()
            counts = {name: each["accepted"] for name, each in self._sandbox.counts().items()}
            self._happen(counts)
            if now - sampled_at >= SAMPLED_EVERY:
                pids = {name: process.pid for name, process in self._crew.working.items()}
                self._memory.sample(now, pids)
                sampled_at = now
            standing = announcement_progress.standing(announcements.find(number))
            if standing.announcement.state not in Announcement.RUNNING:
                self._say(standing)
                break
            if now - ordered_at >= ORDERED_EVERY:
                self._orders.place()
                ordered_at = now
            if now - said_at >= SAID_EVERY:
                self._say(standing)
                said_at = now
            if counts != last:
                last, moved_at = counts, now
            if now - moved_at > PATIENCE:
                raise Unfinished("Nothing moves any more.")

    def _happen(self, counts: dict[str, int]) -> None:
        """The provider goes down and comes back, and the relay is killed, each once."""
        texts = self._texts
        if self._down_at is None and counts["sms"] >= DOWN * texts:
            self._tell("the SMS provider north goes down")
            self._sandbox.script("sms", "server_error", address=SENDERS["north"])
            self._down_at = timezone.now()
        if self._down_at and self._up_at is None and counts["sms"] >= UP * texts:
            self._tell("the SMS provider north is back")
            self._sandbox.forget_script("sms")
            self._up_at = timezone.now()
        if self._recipients < LARGE or self._killed:
            return
        if sum(counts.values()) >= KILLED * len(self._called_for):
            self._tell("the relay is killed, and another started")
            self._crew.kill("relay")
            self._crew.start_relay("relay-2")
            self._killed = True

    @property
    def _called_for(self) -> set[Call]:
        return self._manifest.required

    def _wait_for_the_orders(self) -> None:
        """What the killed relay had claimed is published again when its lease has ended."""
        deadline = time.monotonic() + PATIENCE
        while not self._judged().complete and time.monotonic() < deadline:
            time.sleep(1.0)

    def _judged(self) -> Verdict:
        accepted = self._sandbox.accepted()
        return judge(self._manifest, map(_call, accepted))

    def _outcome(self, limits: Limits, began_at: datetime, seconds: float) -> Outcome:
        accepted = self._sandbox.accepted()
        mails = [m for m in accepted if m.channel == "email" and m.event_type == NEWS]
        return Outcome(
            recipients=self._recipients,
            verdict=judge(self._manifest, map(_call, accepted)),
            paces=[limits.pace(channel, since=began_at) for channel in limits.rates],
            bound=bound(mails, limits.rates["email"]),
            failover=self._failover([m for m in accepted if m.channel == "sms"]),
            memory=self._memory.growths(),
            waits=self._orders.waits(accepted),
            seconds=seconds,
            wrong=[
                f"a dead letter is left: {letter.error}"
                for letter in DeadLetter.objects.filter(state=DeadLetter.State.OPEN)
            ],
        )

    def _failover(self, texts: list[AcceptedMessage]) -> Failover:
        end = datetime.max.replace(tzinfo=timezone.get_current_timezone())
        down, up = self._down_at or end, self._up_at or end
        return Failover(
            by_sender((m for m in texts if m.accepted_at < down), SENDERS),
            by_sender((m for m in texts if down <= m.accepted_at < up), SENDERS),
            by_sender((m for m in texts if m.accepted_at >= up), SENDERS),
        )

    def _say(self, standing: Standing) -> None:
        self._tell(f"  {announcement_progress.in_words(standing)}")
        for lane in standing.lanes:
            self._tell(f"    {lane.channel:<9} {lane_in_words(lane)}")


def _call(message: AcceptedMessage) -> Call:
    return Call(message.subject, message.event_type, message.channel, message.address)
