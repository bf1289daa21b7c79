"""The NOTIFICATIONS setting, read once and typed. `notifications.checks` says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MAX_SOURCE = 255
"""Characters. Consumers would take an event with a longer source, or none, for no event."""

VISIBILITY_SECONDS = 60
"""Long enough for a few tries to extend it, short enough to wait for after a crash."""

LONGEST_VISIBILITY = 12 * 3600
"""Seconds, the most that SQS allows."""

LONGEST_KEPT = 36500
"""Days; a century."""

LONGEST_WINDOW = 14 * 24
"""Hours over which a rate is counted, each of whose messages is looked at."""


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
class Retention:
    """For how many days what is over is kept. What is open is kept, however old it grows.

    dispatches: those published. events: for replays. dead_letters: redriven or discarded.
    outcomes: deliveries with their attempts and receipts, and the inbox: what knows that
        something was done already. So they outlive events and dead letters. Jobs too.
    failed_tasks: Celery's results. bodies: the texts that people were sent, word for word; 0: no
        text is kept.
    """

    dispatches: int = 14
    events: int = 90
    dead_letters: int = 90
    outcomes: int = 365
    failed_tasks: int = 90
    bodies: int = 30

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
    retention: for how many days what is over is kept.
    receipt_webhooks: whose calls over HTTP are taken for receipts, and the secrets they sign with.
    reputation: from when on bounces and complaints stop a channel.
    quiet_hours: channel → the hours in which it disturbs nobody, but for urgent events.
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
    allowed_recipients: Collection[str] | None = None
    timeline: str = ""
    public_url: str = ""
    public_name: str = ""
    forget: str = ""
    address_hash_keys: Mapping[int, str] = field(default_factory=dict)
    encryption_keys: Mapping[int, str] = field(default_factory=dict)
    fifo_topics: frozenset[str] = frozenset()
    visibility_seconds: int = VISIBILITY_SECONDS
    retention: Retention = Retention()
    receipt_webhooks: ReceiptWebhooks = ReceiptWebhooks()
    reputation: Reputation = Reputation()
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)


SERVICE = "service"
"""The category of an event type that names none."""

_SERVICE = Category(_("Your orders and your account"), transactional=True)


@cache
def conf() -> Conf:
    """The typed setting. Raises ImproperlyConfigured saying what cannot be read."""
    given: Any = getattr(settings, "NOTIFICATIONS", {})
    for problem in problems(given):
        raise ImproperlyConfigured(problem)
    values = {name.lower(): value for name, value in given.items()}
    values["routes"] = {
        name: tuple(route for line in lines for route in _routes(line))
        for name, lines in values.get("routes", {}).items()
    }
    values["categories"] = {SERVICE: _SERVICE, **values.get("categories", {})}
    values["template_partials"] = tuple(values.get("template_partials", ()))
    values["public_url"] = values.get("public_url", "").rstrip("/")
    values["fifo_topics"] = frozenset(values.get("fifo_topics", ()))
    return Conf(**values)


def _routes(line: Route | Fallback) -> tuple[Route, ...]:
    return line.routes() if isinstance(line, Fallback) else (line,)


def problems(given: Any) -> Iterator[str]:
    """What keeps a NOTIFICATIONS setting from being read: unknown keys, values of a wrong kind."""
    if not isinstance(given, Mapping):
        yield "NOTIFICATIONS must be a dictionary."
        return
    known = {entry.name.upper() for entry in fields(Conf)}
    if unknown := sorted(map(str, set(given) - known)):
        yield f"NOTIFICATIONS has unknown keys {unknown}; it may hold {sorted(known)}."
    for name, (fits, expected) in _KINDS.items():
        if name in given and not fits(given[name]):
            yield f'NOTIFICATIONS["{name}"] must be {expected}.'


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _maps(value: Any, fits_key: type, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, fits_key) and fits(entry) for key, entry in value.items()
    )


def _holds(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(entry, kind) for entry in value
    )


def _is_channel(value: Any) -> bool:
    return (
        isinstance(value, ChannelConf)
        and isinstance(value.providers, tuple)
        and _holds(value.providers, ProviderConf)
    )


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        (
            *("PREFIX", "RECIPIENTS", "CONTEXT", "STILL_TRUE", "ATTACHMENTS"),
            *("TIMELINE", "ADDRESS_GONE", "FORGET"),
        ),
        (_is_text, "a text"),
    ),
    **dict.fromkeys(("PUBLIC_URL", "PUBLIC_NAME"), (_is_text, "a text")),
    "SOURCE": (
        lambda value: _is_text(value) and 0 < len(value) <= MAX_SOURCE,
        f"a text of 1 to {MAX_SOURCE} characters",
    ),
    "CHANNELS": (
        lambda value: _maps(value, str, _is_channel),
        "a dictionary of channel names and ChannelConf(…), providers being a tuple of ProviderConf",
    ),
    "ROUTES": (
        lambda value: _maps(value, str, lambda entry: _holds(entry, (Route, Fallback))),
        "a dictionary of event types and lists of Route(…) and Fallback(…)",
    ),
    "CATEGORIES": (
        lambda value: _maps(value, str, lambda entry: isinstance(entry, Category)),
        "a dictionary of names and Category(…)",
    ),
    **dict.fromkeys(
        ("ADDRESS_HASH_KEYS", "ENCRYPTION_KEYS"),
        (
            lambda value: _maps(value, int, _is_text),
            "a dictionary of versions (whole numbers) and secrets",
        ),
    ),
    "TEMPLATE_PARTIALS": (lambda value: _holds(value, str), "a list of template names"),
    "ALLOWED_RECIPIENTS": (
        lambda value: value is None or _holds(value, str),
        "None, or a list of addresses and patterns",
    ),
    "FIFO_TOPICS": (lambda value: _holds(value, str), "a list of topic names"),
    "VISIBILITY_SECONDS": (
        lambda value: type(value) is int and 2 <= value <= LONGEST_VISIBILITY,
        f"a whole number of seconds from 2 to {LONGEST_VISIBILITY}",
    ),
    "RETENTION": (
        lambda value: isinstance(value, Retention) and not any(value.problems()),
        f"a Retention(…) of whole days from 1 to {LONGEST_KEPT} (bodies: from 0)",
    ),
    "RECEIPT_WEBHOOKS": (
        lambda value: isinstance(value, ReceiptWebhooks),
        "a ReceiptWebhooks(…)",
    ),
    "REPUTATION": (lambda value: isinstance(value, Reputation), "a Reputation(…)"),
    "QUIET_HOURS": (
        lambda value: _maps(value, str, lambda entry: isinstance(entry, QuietHours)),
        "a dictionary of channel names and QuietHours(…)",
    ),
}


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        conf.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.conf")
