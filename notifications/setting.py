"""The NOTIFICATIONS setting: what it may hold, key by key, and the default of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise

from notifications.policies import (
    Bulk,
    Editable,
    Fleet,
    Objective,
    ReceiptWebhooks,
    Reputation,
    Retention,
)

MAX_SOURCE = 255
"""Characters. Consumers would take an event with a longer source, or none, for no event."""

VISIBILITY_SECONDS = 60
"""Long enough for a few tries to extend it, short enough to wait for after a crash."""

LONGEST_VISIBILITY = 12 * 3600
"""Seconds, the most that SQS allows."""

RETENTION_DAYS = 14
"""The most for which SQS keeps a message."""

FEWEST_RETENTION_DAYS = 2
"""A weekend's trouble must find its messages there."""

KMS_KEY_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+"
"""Of a KMS key, as a regular expression that CloudFormation reads too. An alias is none."""


@dataclass(frozen=True)
class Digest:
    """Events that are told together: one message of all that came within a while.

    name: the digest's, in the form of an event type ("orders.daily"): its templates are
        notifications/<name>/<channel>.*. Routes that name it tell their events together.
    at: told at this time of the day ("08:00"), by the clock where the recipient lives.
    window: instead of `at`: told so long after the first of them came.
    most: with so many it is told at once, and what comes then goes into the next.
    category: what kind of news the digest is (`Category`).
    """

    name: str
    at: str = ""
    window: timedelta = timedelta()
    most: int = 50
    category: str = "service"


@dataclass(frozen=True)
class Route:
    """One line of the routes table: this event is told over `channel`.

    `name` tells apart two routes of one event over one channel (the customer and
    the warehouse, say); the recipient resolver is given the route.
    digest: where it is told together with others, and not by itself.
    rule: the fallback whose step this is; a line of its own has none.
    """

    channel: str
    name: str = "customer"
    digest: Digest | None = None
    rule: Fallback | None = None

    @property
    def step(self) -> int:
        """Which of its rule's channels it is, from 0; 0 without a rule."""
        return self.rule.channels.index(self.channel) if self.rule else 0


@dataclass(frozen=True)
class Fallback:
    """One line of the routes table that is told once, by whichever of `channels` succeeds first.

        Fallback(("push", "sms", "email"), within=timedelta(minutes=30))

    within: each channel has its share of it, one after another; one that has failed, was skipped
        or came back is followed by the next at once (`notifications.fallbacks`).
    name: the route's, for the resolver, as with Route.
    confirmed: those of the channels that have succeeded only once a receipt says "delivered"; of
        the others it is enough that a provider took the message.
    """

    channels: tuple[str, ...]
    within: timedelta
    name: str = "customer"
    confirmed: tuple[str, ...] = ()

    @property
    def share(self) -> timedelta:
        """How long each step has to itself."""
        return self.within / max(1, len(self.channels))

    def routes(self) -> tuple[Route, ...]:
        """One for each step, in their order."""
        return tuple(Route(channel, self.name, rule=self) for channel in self.channels)


@dataclass(frozen=True)
class ProviderConf:
    """One of several providers of a channel: an account of its own, `<channel>.<name>`.

    name: as attempts and deliveries tell it.
    adapter, options: as in ChannelConf.
    weight: its share of the messages, beside those of the others.
    rate_limit: "50/s", "100/m", "10/h" or "none"; empty: what the channel's task declares.
    """

    name: str
    adapter: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold a password
    weight: float = 1
    rate_limit: str = ""


@dataclass(frozen=True)
class QuietHours:
    """When nobody is disturbed over a channel, by the clock where the recipient lives.

    begin, end: times of the day ("21:00", "08:00"); past midnight where the end is the earlier.
    spread: minutes over which those who waited are told, from `end` on, each person always at the
        same one of them: so that the whole country is not told at the stroke of eight.
    """

    begin: str
    end: str
    spread: int = 15


@dataclass(frozen=True)
class ChannelConf:
    """One channel: the adapter's dotted path and the keyword arguments it is made with.

    providers: instead of these two, several that share its messages (docs/providers.md).
    max_seconds: maximum processing time of one message; its lease and heartbeat follow from it.
    recipient_limit: messages that one recipient is sent at most over this channel, per minute,
        hour or day ("2/m", "5/h", "20/d"); what is beyond waits. Empty: as many as there are.
    """

    adapter: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold a password
    max_seconds: int = 30
    recipient_limit: str = ""
    providers: tuple[ProviderConf, ...] = ()

    @property
    def each(self) -> tuple[ProviderConf, ...]:
        """Its providers: an only one has no name."""
        return self.providers or (ProviderConf("", self.adapter, self.options),)


@dataclass(frozen=True)
class Category:
    """One kind of news that people may want or not; an event type names it (`@event(category=…)`).

    title: as the preference page calls it.
    transactional: what a person must be told (a receipt, a delay of their own order), and so
        cannot opt out of.
    opt_in: nobody is told who has not asked for it; otherwise, everybody who has not said no.
    """

    title: str | Promise
    transactional: bool = False
    opt_in: bool = False


@dataclass(frozen=True)
class Conf:
    """What the NOTIFICATIONS dictionary may hold, key by key in capitals (`prefix` ← "PREFIX").

    prefix: the environment; it starts every topic's and queue's name.
    source: CloudEvents `source` of what this shop records, a URI reference.
    channels: channel name → ChannelConf.
    routes: event type → the routes it takes; of a fallback, each step is one.
    categories: category → Category, besides "service", which is always there and transactional.
    recipients: dotted path to `(envelope, route) -> Iterable[Recipient]`.
    context: dotted path to `(envelope, recipient) -> dict`, what templates may use.
    template_partials: names of template files, or patterns of them, that templates which staff
        edit may include and extend ("notifications/layout.html", "notifications/*/why.txt").
    still_true: dotted path to `(envelope) -> str | None`, the reason why it no longer is.
    attachments: dotted path to `(envelope, recipient) -> Iterable[Attachment]`, what goes with an
        email (`notifications.channels.base.Attachment`).
    address_gone: dotted path to `(channel, reference, address) -> None`, called when a provider has
        said for good that an address is nobody's any more (an app that was uninstalled).
    foreign_events: the event types of which other publishers are believed. None: of all, and then
        also whoever writes our `source` on a message; otherwise an event of ours must be one that
        our outbox recorded (`notifications.provenance`).
    allowed_recipients: None: everybody. Else who may be reached from here, and nobody besides
        (`notifications.allow_list`): for a staging environment.
    timeline: dotted path to `(subject) -> Iterable[Entry]`, what the shop itself knows of a subject
        (`notifications.timeline_entries`).
    public_url: where customers reach `notifications.urls`, as "https://shop.example": unsubscribe
        links begin with it. Empty: no mail has one.
    public_name: how those pages call the shop; empty: by the host's name.
    forget: dotted path to `(person) -> None`, by which the shop erases what its own tables hold of
        "customer/42" (`manage.py forget`). Called in a transaction; it may be called again.
    address_hash_keys: version → secret, for searching by address; the highest version writes.
    encryption_keys: version → secret, by which addresses and other people's secrets are sealed in
        our tables (`notifications.sealed`); the highest version writes.
    fifo_topics: event domains whose events keep their order per subject ("order/1"); the
        queues that only they feed are FIFO too.
    visibility_seconds: how long SQS hides a received message, at most, before another worker may
        have it: twice its consumer's maximum processing time if that is less. A worker at work
        extends it; what a worker held that died comes again after it.
    queue_retention_days: how long SQS keeps a message that no worker takes, 14 at the most.
    kms_key: the ARN of the KMS key that encrypts what topics and queues hold, whose policy lets SNS
        use it; empty: queues by SQS's own key.
    retention: for how many days what is over is kept.
    receipt_webhooks: whose calls over HTTP are taken for receipts, and the secrets they sign with.
    reputation: from when on bounces and complaints stop a channel.
    bulk: how bulk work is begun on a page.
    quiet_hours: channel → the hours in which it disturbs nobody, but for urgent events.
    editable: event type → Editable, what an operator may put right (`notifications.edits`). Of an
        event type that is not in it, nothing.
    objectives: event type → Objective, what part of its customers is to be told how soon.
    metrics_token: the bearer token for which the web process tells the metrics of the fleet
        (`notifications.metrics.urls`). Empty: it tells nobody.
    metrics_emf: whether relays and workers print their metrics for CloudWatch (docs/metrics.md).
    trusted_proxies: how many of the shop's own proxies a request comes through, each of which adds
        to X-Forwarded-For whom it was asked by: whose address a wrong password counts against.
    fleet: how many processes are planned, to be compared with the connections that the database
        takes. None: nothing is compared.
    celery: dotted path of the module of Celery settings that the worker's app is created with
        ("celeryconfig"), for `manage.py check`. Empty: the worker alone looks at them, as it
        starts.
    process_bind: "host:port" where each worker and relay says over HTTP how it does
        (`notifications.process_server`). Empty: nowhere.
    """

    prefix: str = "dev"
    source: str = "urn:shop"
    channels: Mapping[str, ChannelConf] = field(default_factory=dict)
    routes: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    recipients: str = ""
    context: str = ""
    template_partials: tuple[str, ...] = ()
    still_true: str = ""
    attachments: str = ""
    address_gone: str = ""
    foreign_events: Collection[str] | None = None
    allowed_recipients: Collection[str] | None = None
    timeline: str = ""
    public_url: str = ""
    public_name: str = ""
    forget: str = ""
    address_hash_keys: Mapping[int, str] = field(default_factory=dict)
    encryption_keys: Mapping[int, str] = field(default_factory=dict)
    fifo_topics: frozenset[str] = frozenset()
    visibility_seconds: int = VISIBILITY_SECONDS
    queue_retention_days: int = RETENTION_DAYS
    kms_key: str = ""
    retention: Retention = field(default_factory=Retention)
    receipt_webhooks: ReceiptWebhooks = field(default_factory=ReceiptWebhooks)
    reputation: Reputation = field(default_factory=Reputation)
    bulk: Bulk = field(default_factory=Bulk)
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    editable: Mapping[str, Editable] = field(default_factory=dict)
    objectives: Mapping[str, Objective] = field(default_factory=dict)
    metrics_token: str = field(default="", repr=False)
    metrics_emf: bool = False
    trusted_proxies: int = 0
    fleet: Fleet | None = None
    celery: str = ""
    process_bind: str = ""
