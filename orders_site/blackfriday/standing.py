"""How the day stands at one moment: what the shop has sold, and how far everybody is with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, Min, OuterRef
from django.utils import timezone

from notifications import keeper
from notifications.local.providers.client import SandboxClient
from notifications.models import DeadLetter, Dispatch, Event
from orders_site.analytics.models import RecordedEvent
from orders_site.demo.manifest import Call, Manifest
from orders_site.demo.underway import messages_under_way
from orders_site.orders.models import Order

CHANNELS = ("email", "sms", "whatsapp", "push")


@dataclass(frozen=True)
class Standing:
    """charged: orders. told: messages that a provider took. behind: events that analytics has not
    recorded; lag: seconds, of the oldest of them. waiting: events that are not out yet, messages on
    everybody else's queues, and dead letters that no relay has fetched yet."""

    orders: int
    charged: int
    told: int
    dead_letters: int
    behind: int
    lag: float
    waiting: int

    @property
    def moving(self) -> tuple[int, ...]:
        """What stands still when nothing moves any more."""
        return (
            self.orders,
            self.charged,
            self.told,
            self.dead_letters,
            self.behind,
            self.waiting,
        )

    def __str__(self) -> str:
        behind = f"{self.behind:,} events behind, {self.lag:.0f} s"
        analytics = behind if self.behind else "up to date"
        return (
            f"{self.orders:,} orders, {self.charged:,} charged, {self.told:,} messages told, "
            f"{self.waiting:,} under way, {self.dead_letters} dead letters; "
            f"analytics is {analytics}"
        )


class Watch:
    """Looks at the tables, the queues and the providers; changes nothing."""

    def __init__(self, manifest: Manifest, sandbox: SandboxClient) -> None:
        self._manifest = manifest
        self._sandbox = sandbox

    def look(self) -> Standing:
        recorded = RecordedEvent.objects.filter(event_id=OuterRef("pk"))
        behind = Event.objects.filter(~Exists(recorded))
        oldest = behind.aggregate(oldest=Min("time"))["oldest"]
        lag = timezone.now() - oldest if oldest else timedelta()
        counts = self._sandbox.counts()
        return Standing(
            orders=Order.objects.count(),
            charged=sum(charge.status == "succeeded" for charge in self._sandbox.charges()),
            told=sum(int(each["accepted"]) for name, each in counts.items() if name in CHANNELS),
            dead_letters=DeadLetter.objects.filter(state=DeadLetter.State.OPEN).count(),
            behind=behind.count(),
            lag=lag.total_seconds(),
            waiting=_unpublished()
            + messages_under_way(without=["analytics"])
            + _in_dead_letter_queues(),
        )

    def told_all_but(self, unpaid: Collection[int]) -> bool:
        """Whether every promised message was taken by its provider; of these orders, a receipt
        cannot be."""
        excepted = {f"order/{order}" for order in unpaid}
        taken = {
            Call(each.subject, each.event_type, each.channel, each.address)
            for each in self._sandbox.accepted()
        }
        left = self._manifest.required - taken
        return all(
            call.event_type == "payment.completed" and call.subject in excepted for call in left
        )


def _unpublished() -> int:
    return Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).count()


def _in_dead_letter_queues() -> int:
    return sum(depth.in_sqs for depth in keeper.depths())
