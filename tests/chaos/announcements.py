"""One announcement to many over all four channels (S0), each recorded (S4), under faults.

The mail account takes 50 a second and no more, and in the middle the provider of another channel
is away for three quarters of the run: a minute of the full one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from orders_site.demo.manifest import Call, Manifest
from tests.chaos import receipts
from tests.chaos.errands import Errands
from tests.chaos.ground import Ground
from tests.chaos.house import cast_of, crew
from tests.chaos.orders import SHORTEST, SMALL
from tests.chaos.scenario import CHANNELS, Scenario
from tests.chaos.schedule import Step, Verb, plan
from tests.chaos.troubles import OUTAGES, Behaviour

EVENT = "payment_successful"
MAILS = 50
"""A second."""
PER_SECOND = 25
"""Recipients: half of what the mail account takes, so that trouble lasts as long as the mails."""
FIRST, LAST = 0.125, 0.875
"""The shares of the run between which one provider is away."""
TOGETHER = 10
"""Recipients that are announced to in one transaction."""


@dataclass(frozen=True)
class Outage:
    """begin, end: seconds after the first announcement."""

    channel: str
    how: Behaviour
    begin: float
    end: float

    @property
    def steps(self) -> tuple[Step, Step]:
        return (
            Step(self.begin, Verb.DOWN, self.channel, self.how.words),
            Step(self.end, Verb.UP, self.channel),
        )


class Announcements(Scenario):
    settings = "tests.chaos.bulk.settings"
    _announcing: Announcing

    @property
    def title(self) -> str:
        return (
            f"{self.size} recipients of one announcement, seed {self.seed}, {MAILS} mails a "
            f"second, {self.outage.channel} away for {self.outage.end - self.outage.begin:.0f} s"
        )

    @property
    def members(self) -> Mapping[str, Sequence[str | Path]]:
        return crew(small=self.size < SMALL)

    @property
    def seconds(self) -> float:
        return max(SHORTEST, self.size / PER_SECOND)

    @property
    def outage(self) -> Outage:
        """Of any channel but the mail, whose pace is looked at."""
        dice = Random(f"outage of {self.seed}")
        channel, how = dice.choice(CHANNELS[1:]), dice.choice(OUTAGES)
        begin, end = (round(self.seconds * share, 1) for share in (FIRST, LAST))
        return Outage(channel, how, begin, end)

    def plan(self) -> tuple[Step, ...]:
        """The usual trouble, but that the one provider is away and does nothing else."""
        usual = plan(self.seed, self.seconds, cast_of(self.members))
        others = [step for step in usual if step.target != self.outage.channel]
        return tuple(sorted([*others, *self.outage.steps]))

    def furnish(self, ground: Ground) -> None:
        from orders_site.demo.limits import allowance

        ground.sandbox.limit("email", allowance(MAILS))
        addresses = [
            (channel, address)
            for number in range(self.size)
            for channel, address in addresses_of(number).items()
        ]
        receipts.script(ground.sandbox, addresses, seed=self.seed)

    def begin(self, ground: Ground, *, web: str) -> None:
        self._began = datetime.now().astimezone()
        self._announcing = Announcing(web, recipients=self.size, seconds=self.seconds / 4)
        self._announcing.start()

    @property
    def done(self) -> bool:
        return self._announcing.done

    def close(self) -> None:
        self._announcing.stop()

    def called_for(self, path: Path) -> Manifest:
        from orders_site.customers.models import Customer

        manifest = Manifest(path)
        for customer in Customer.objects.prefetch_related("devices"):
            subject = f"customer/{customer.pk}"
            manifest.subjects.add(subject)
            addresses = {
                "email": customer.email,
                "sms": customer.phone,
                "whatsapp": customer.whatsapp,
                "push": customer.devices.get().token,
            }
            for channel, address in addresses.items():
                manifest.required.add(Call(subject, EVENT, channel, address))
        manifest.close()
        return manifest

    def silent(self, call: Call) -> bool:
        return receipts.withheld(call, seed=self.seed)

    def complaints(self, ground: Ground) -> Sequence[str]:
        return list(self._not_kept())

    def notes(self, ground: Ground) -> Sequence[str]:
        """How far each channel had come when the outage ended; each has its own troubles, too."""
        sent = {
            channel: sum(
                (message.accepted_at - self._began).total_seconds() < self.outage.end
                for message in ground.sandbox.accepted(channel)
            )
            for channel in CHANNELS
        }
        told = ", ".join(f"{channel} {count:,}" for channel, count in sent.items())
        return [f"accepted by the end of the outage of {self.outage.channel}: {told}"]

    def _not_kept(self) -> Iterator[str]:
        """Whom the office said to have told."""
        from orders_site.customers.models import Customer

        kept = set(Customer.objects.values_list("email", flat=True))
        for _, number in self._announcing.acknowledged:
            if addresses_of(number)["email"] not in kept:
                yield f"recipient {number} was said to be announced to, and is not"


class Announcing(Errands):
    """So many recipients, some at a time."""

    def __init__(self, url: str, *, recipients: int, seconds: float) -> None:
        super().__init__(url, errands=-(-recipients // TOGETHER), seconds=seconds)
        self._recipients = recipients

    def run(self, number: int) -> None:
        first = number * TOGETHER
        numbers = list(range(first, min(first + TOGETHER, self._recipients)))
        if self.ask("/announcements", numbers=numbers) is not None:
            self.acknowledged += [("announced", number) for number in numbers]


def addresses_of(number: int) -> dict[str, str]:
    """Of the nth recipient, as `tests.announcements.announce` makes them."""
    return {
        "email": f"ada-{number}@example.org",
        "sms": f"+49171392{number:04d}",
        "whatsapp": f"+49172992{number:04d}",
    }
