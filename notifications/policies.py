"""Policies: what a shop has decided on, each a frozen value of the NOTIFICATIONS setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import timedelta

LONGEST_KEPT = 36500
"""Days; a century."""

LONGEST_WINDOW = 14 * 24
"""Hours over which a rate is counted, each of whose messages is looked at."""

LONGEST_WITHIN = timedelta(hours=12)
"""By then it is known of each event whether it was told in time; what is measured once more a day
later (`notifications.objectives`) has it in."""

LONGEST_BUDGET = timedelta(days=366)


@dataclass(frozen=True)
class Retention:
    """For how many days what is over is kept. What is open is kept, however old it grows.

    dispatches: those published. events: for replays. dead_letters: redriven or discarded.
    outcomes: deliveries with their attempts and receipts, and the inbox: what knows that
        something was done already. So they outlive events and dead letters. Jobs too.
    failed_tasks: Celery's results. bodies: the texts that people were sent, word for word; 0: no
        text is kept. throughput: the figures of each minute, which the console's charts show.
    """

    dispatches: int = 14
    events: int = 90
    dead_letters: int = 90
    outcomes: int = 365
    failed_tasks: int = 90
    bodies: int = 30
    throughput: int = 14

    def problems(self) -> Iterator[str]:
        """The names of what is no whole number of days."""
        for entry in fields(self):
            days = getattr(self, entry.name)
            fewest = 0 if entry.name == "bodies" else 1
            if type(days) is not int or not fewest <= days <= LONGEST_KEPT:
                yield entry.name


@dataclass(frozen=True)
class ReceiptWebhooks:
    """Whose calls over HTTP are taken for receipts and replies; nobody's, as it stands.

    meta_app_secrets: Meta signs with the app's secret. meta_verify_token: the word that we agreed
        on with Meta, which it says when the webhook is set up.
    twilio_auth_tokens: Twilio, and who signs alike, signs with the account's token.
    Several secrets, while one is being replaced: any of them will do.
    """

    meta_app_secrets: tuple[str, ...] = field(default=(), repr=False)
    meta_verify_token: str = field(default="", repr=False)
    twilio_auth_tokens: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Reputation:
    """From when on a channel's bounces and complaints stop it, before its provider does.

    bounce_rate, complaint_rate: hard bounces and complaints per message sent. SES puts an account
        under review at 5 % and 0.1 %, and stops it at 10 % and 0.5 % (Amazon SES Developer Guide,
        "Reputation metrics messages"): the defaults lie below.
    window_hours: how far back is counted.
    least_sends, least_cases: with fewer messages, or fewer bounces (complaints) of them, a rate
        says nothing: two of ten are an accident, and so is the one complaint of the week.
    """

    bounce_rate: float = 0.04
    complaint_rate: float = 0.0008
    window_hours: int = 24
    least_sends: int = 200
    least_cases: int = 5

    def problems(self) -> Iterator[str]:
        """What cannot be meant, by the field's name."""
        for name in ("bounce_rate", "complaint_rate"):
            rate = getattr(self, name)
            if type(rate) not in (int, float) or not 0 < rate <= 1:
                yield f"{name} is a part of one: above 0, and 1 at most"
        if type(self.window_hours) is not int or not 1 <= self.window_hours <= LONGEST_WINDOW:
            yield f"window_hours is a whole number from 1 to {LONGEST_WINDOW}"
        for name in ("least_sends", "least_cases"):
            least = getattr(self, name)
            if type(least) is not int or least < 1:
                yield f"{name} is a whole number from 1"


@dataclass(frozen=True)
class Editable:
    """The facts of an event type that an operator may put right for one delivery and resend.

    free: edited as they stand. sensitive: masked until revealed, and changed only by who types what
    the event is about. What neither names (ids, money) is locked.
    """

    free: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bulk:
    """How bulk work is begun on a page of the console.

    typed_above: who begins work on more things than this types their number. most: things of one
        job that a page begins; a command may begin more.
    """

    typed_above: int = 100
    most: int = 100_000

    def problems(self) -> Iterator[str]:
        """The names of what is no whole number, or is too small."""
        for name, fewest in (("typed_above", 0), ("most", 1)):
            if type(getattr(self, name)) is not int or getattr(self, name) < fewest:
                yield name


@dataclass(frozen=True)
class Objective:
    """So many of an event's customers are told so soon (docs/objectives.md).

        "order.created": Objective(part=0.95, within=timedelta(seconds=60))

    part: of the events, above 0 and below 1: all of them would leave nothing that may go wrong.
    within: from the event's record until a provider has taken the first message about it.
    channels: the ones that count; none: all by which the route is told at once, partners' aside.
    route: whose telling counts (`Route.name`).
    window: in which the part that may be late, the budget, is spent; whole days.
    least: late events from which on a quick spending of it is worth waking somebody for.
    """

    part: float
    within: timedelta
    channels: tuple[str, ...] = ()
    route: str = "customer"
    window: timedelta = timedelta(days=30)
    least: int = 5

    def problems(self) -> Iterator[str]:
        """What cannot be meant, by the field's name."""
        if type(self.part) not in (int, float) or not 0 < self.part < 1:
            yield "part is above 0 and below 1 (1 would leave no budget: 0.999, say)"
        if not _lies_in(self.within, timedelta(seconds=1), LONGEST_WITHIN):
            yield f"within is a timedelta from a second to {LONGEST_WITHIN}"
        whole = isinstance(self.window, timedelta) and not self.window % timedelta(days=1)
        if not whole or not _lies_in(self.window, timedelta(days=1), LONGEST_BUDGET):
            yield f"window is a timedelta of whole days, from 1 to {LONGEST_BUDGET.days}"
        if type(self.least) is not int or self.least < 1:
            yield "least is a whole number from 1"


def _lies_in(span: object, shortest: timedelta, longest: timedelta) -> bool:
    return isinstance(span, timedelta) and shortest <= span <= longest


@dataclass(frozen=True)
class Fleet:
    """How many processes are planned, at most and on all machines together, those included that a
    deployment starts before it ends the old ones (`notifications.connection_budget`).

    web: processes that answer requests, with web_threads threads each. workers: with worker_threads
        tasks at once. worker_children: of each worker, where those are processes (prefork); else 0.
        others: connections left to commands, migrations and people.
    """

    web: int = 1
    relays: int = 1
    workers: int = 1
    web_threads: int = 4
    worker_threads: int = 16
    worker_children: int = 0
    others: int = 10

    def problems(self) -> Iterator[str]:
        """The names of what is no whole number from 0."""
        for entry in fields(self):
            if type(getattr(self, entry.name)) is not int or getattr(self, entry.name) < 0:
                yield entry.name
