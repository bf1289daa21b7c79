"""Completeness: of the consumers that an event was meant to reach, which have reported.

Expected are those that stood on the event when it was recorded. A service consumer reports by its
inbox row, a channel's by its deliveries, once all of them are in a last state, or by an inbox row
where there was nobody to tell. A later step of a fallback (`notifications.fallbacks`) is expected
while it is ahead and once it was called for; one that was called off is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext

from notifications import consumers
from notifications.conf import conf
from notifications.consumers import Consumer
from notifications.durations import words
from notifications.models import Event, Handled, wait


class Standing(StrEnum):
    """Where a consumer stands with an event, what needs a look first."""

    GIVEN_UP = "given_up"
    SILENT = "silent"
    UNDER_WAY = "under_way"
    UNPUBLISHED = "unpublished"
    AHEAD = "ahead"
    REMOVED = "removed"
    UNRECORDED = "unrecorded"
    DONE = "done"
    NOT_CALLED_FOR = "not_called_for"


NOT_EXPECTED = frozenset({Standing.UNRECORDED, Standing.NOT_CALLED_FOR})
"""Who keeps no record, and who is not needed: neither can be waited for."""

URGENCY = {standing: rank for rank, standing in enumerate(Standing)}


@dataclass(frozen=True)
class Tally:
    """The deliveries of one event over one channel: how many, how many are not over, and when the
    next of these is tried. started, done: the first claim, and the last that was sent or ended;
    of the first generation only, as what was mended says nothing of how long it took. waits: for
    what one of these waits by itself (`notifications.models.wait`)."""

    total: int
    open: int
    next_try_at: datetime | None = None
    started: datetime | None = None
    done: datetime | None = None
    waits: str | None = None

    @property
    def waiting(self) -> str:
        """ "waits until 2026-11-26 08:00: quiet hours", or nothing."""
        return wait.words(self.waits, self.next_try_at) if self.waits else ""


@dataclass(frozen=True)
class Facts:
    """What is known of one event: its rows by consumer, its deliveries by channel.

    steps: of the later steps of its fallbacks by consumer, when the message went out; None: it is
        ahead.
    lanes: of an announcement, which goes to each channel by itself, when the message went out.
    """

    event: Event
    published_at: datetime | None = None
    handled: Mapping[str, Handled] = field(default_factory=dict)
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, datetime | None] = field(default_factory=dict)
    lanes: Mapping[str, datetime] = field(default_factory=dict)

    def published_to(self, consumer: str) -> datetime | None:
        return self.published_at or self.lanes.get(consumer)

    def tally(self, consumer: str) -> Tally | None:
        """Of the channel that it serves, or that is named as it was."""
        return self.tallies.get(consumers.channel_of(consumer) or consumer)


@dataclass(frozen=True)
class Report:
    """since: the moment from which a consumer that has not reported is waited for. dead_letter: the
    open one for which it gave up."""

    consumer: str
    standing: Standing
    since: datetime | None = None
    detail: str = ""
    dead_letter: int | None = None

    def words(self, now: datetime) -> str:
        """A clause: "analytics has not reported for 12 min"."""
        ago = words(max(0.0, (now - self.since).total_seconds())) if self.since else ""
        match self.standing:
            case Standing.DONE:
                said = gettext("%(consumer)s is done")
            case Standing.SILENT:
                said = gettext("%(consumer)s has not reported for %(ago)s")
            case Standing.UNPUBLISHED:
                said = gettext("%(consumer)s has been waiting for its publication for %(ago)s")
            case Standing.UNDER_WAY if ago:
                said = gettext("%(consumer)s has been under way for %(ago)s")
            case Standing.UNDER_WAY:
                said = gettext("%(consumer)s is under way")
            case Standing.GIVEN_UP:
                said = gettext("%(consumer)s gave it up")
            case Standing.REMOVED:
                said = gettext("%(consumer)s was removed and never reported")
            case Standing.UNRECORDED:
                said = gettext("%(consumer)s keeps no record")
            case Standing.AHEAD:
                said = gettext("%(consumer)s comes next, unless somebody else has told it before")
            case Standing.NOT_CALLED_FOR:
                said = gettext("%(consumer)s was not called for")
        said %= {"consumer": self.consumer, "ago": ago}
        return f"{said} ({self.detail})" if self.detail else said


@dataclass(frozen=True)
class Completeness:
    """reports: one for each consumer expected, in order of name."""

    reports: tuple[Report, ...]

    @property
    def expected(self) -> int:
        """Those that can be known to have done it: who keeps no record is not among them."""
        return sum(report.standing not in NOT_EXPECTED for report in self.reports)

    @property
    def reached(self) -> int:
        return sum(report.standing is Standing.DONE for report in self.reports)

    @property
    def missing(self) -> tuple[Report, ...]:
        """Those that have not reported, what needs a look first."""
        fine = {Standing.DONE, Standing.NOT_CALLED_FOR}
        open_ones = (each for each in self.reports if each.standing not in fine)
        return tuple(sorted(open_ones, key=lambda each: (URGENCY[each.standing], each.consumer)))

    @property
    def is_complete(self) -> bool:
        return self.reached == self.expected

    def words(self, now: datetime) -> str:
        """ "6 of 7; analytics has not reported for 12 min"."""
        figures = {"reached": self.reached, "expected": self.expected}
        counted = gettext("%(reached)d of %(expected)d") % figures
        return "; ".join([counted, *(report.words(now) for report in self.missing)])


def of_event(facts: Facts) -> Completeness:
    names = {*facts.event.expected, *facts.steps, *_later_steps(facts.event.type)}
    return Completeness(tuple(_report(name, facts) for name in sorted(names)))


def together(several: Iterable[Completeness]) -> Completeness:
    """Of several events: a consumer has reported when it has done so for each that it expected."""
    by_consumer: dict[str, list[Report]] = {}
    for one in several:
        for report in one.reports:
            by_consumer.setdefault(report.consumer, []).append(report)
    return Completeness(tuple(_worst(by_consumer[name]) for name in sorted(by_consumer)))


def _report(name: str, facts: Facts) -> Report:
    handled, tally = facts.handled.get(name), facts.tally(name)
    done = handled is not None and handled.outcome == Handled.Outcome.DONE
    if done and not (tally and tally.open):
        return Report(name, Standing.DONE)
    if not done and (letter := facts.dead_letters.get(name)):
        detail = gettext("dead letter %(id)d is open") % {"id": letter}
        return Report(name, Standing.GIVEN_UP, detail=detail, dead_letter=letter)
    if tally and tally.open:  # put off, perhaps: its task has ended well, and is "done"
        figures = {"open": tally.open, "total": tally.total}
        left = gettext("%(open)d of %(total)d deliveries") % figures if tally.total > 1 else ""
        detail = "; ".join(filter(None, [left, tally.waiting]))
        return Report(name, Standing.UNDER_WAY, tally.started, detail)
    if handled and handled.outcome == Handled.Outcome.OPEN:
        failed = gettext("%(attempts)d failed attempts") % {"attempts": handled.attempts}
        tried = failed if handled.attempts else ""
        return Report(name, Standing.UNDER_WAY, handled.received_at, tried)
    if tally:
        return Report(name, Standing.DONE)
    if handled:
        return Report(name, Standing.GIVEN_UP)
    return _silent(name, facts)


def _later_steps(event_type: str) -> set[str]:
    """The consumers of the channels that only a fallback leads to, and not at first."""
    later = {route.channel for route in conf().routes.get(event_type, ()) if route.step}
    return {each.name for each in consumers.all_consumers() if each.channel in later}


def _silent(name: str, facts: Facts) -> Report:
    if name not in facts.event.expected:
        if name not in facts.steps:
            return Report(name, Standing.NOT_CALLED_FOR)
        since = facts.steps[name]
        return Report(name, Standing.SILENT if since else Standing.AHEAD, since)
    registered = _registered().get(name)
    if registered is None:
        return Report(name, Standing.REMOVED)
    if not registered.channel and not registered.keeps_inbox:
        return Report(name, Standing.UNRECORDED)
    published = facts.published_to(name)
    if published is None and not facts.event.foreign:
        return Report(name, Standing.UNPUBLISHED, facts.event.recorded_at)
    return Report(name, Standing.SILENT, published or facts.event.recorded_at)


def _worst(reports: list[Report]) -> Report:
    worst = min(reports, key=lambda each: (URGENCY[each.standing], each.since is None, each.since))
    alike = sum(each.standing is worst.standing for each in reports)
    if worst.standing is Standing.DONE or len(reports) == 1:
        return worst
    events = gettext("%(some)d of %(all)d events") % {"some": alike, "all": len(reports)}
    detail = "; ".join(filter(None, [worst.detail, events]))
    return replace(worst, detail=detail)


def _registered() -> dict[str, Consumer]:
    return {each.name: each for each in consumers.all_consumers()}
