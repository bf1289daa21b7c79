"""The page of the providers: what each account may be sent, how it does, the way to pace it, and
what came back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from notifications import consumers, pauses, rate_limits, reputation
from notifications import providers as several
from notifications.admin.display import EMPTY, GOOD, TROUBLE, ago, badge, due
from notifications.conf import conf
from notifications.console import control
from notifications.console.buttons import Button, anchor, button, to
from notifications.console.control import Held, of_breaker, of_pause
from notifications.console.links import listed
from notifications.console.switching import switch_button
from notifications.models import Breaker, Delivery, Pause
from notifications.rate_limits import Standing, in_words

Kind = Pause.Kind


@dataclass(frozen=True)
class Line:
    """One account. share: of its channel's messages, where that has several."""

    key: str
    account: str
    through: object
    adapter: str
    share: str
    limit: str
    declared: str
    set_by: str
    why: str
    granted: int
    held: tuple[Held, ...]
    next_try: object
    buttons: tuple[Button, ...]


@dataclass(frozen=True)
class Returned:
    """What came back of a channel's messages through one provider, and since when it is counted."""

    key: str
    channel: object
    provider: str
    since: object
    bounces: int
    bounce_rate: str
    soft_bounces: int
    complaints: int
    complaint_rate: str
    held: tuple[Held, ...]


@require_safe
def providers(request: HttpRequest) -> HttpResponse:
    looked = _Look(request)
    lines = [looked.line(now) for now in rate_limits.standings()]
    returned = list(looked.returned())
    bounds = conf().reputation
    return control.render(
        request,
        "providers",
        title=_("Providers"),
        lines=lines,
        returned=returned,
        allowed={
            "bounces": _percent(bounds.bounce_rate),
            "complaints": _percent(bounds.complaint_rate),
            "hours": bounds.window_hours,
            "least": bounds.least_sends,
            "cases": bounds.least_cases,
        },
    )


class _Look:
    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.breakers: Mapping[str, Breaker] = {
            each.account: each for each in Breaker.objects.in_trouble()
        }
        held = Pause.objects.in_force().filter(kind=Kind.PROVIDER)
        self.provider_pauses: Mapping[str, Pause] = {each.name: each for each in held}
        self.can_pause = set(pauses.names(Kind.PROVIDER))
        whole = Pause.objects.in_force().filter(kind=Kind.CHANNEL)
        self.channel_pauses: Mapping[str, Pause] = {each.name: each for each in whole}
        self.shares: Mapping[str, tuple[str, str]] = dict(_shares())

    def line(self, now: Standing) -> Line:
        adapter, share = self.shares.get(now.account, ("", ""))
        breaker = self.breakers.get(now.account)
        channels = [consumers.channel_of(name) for name in now.consumers]
        return Line(
            key=anchor("account", now.account),
            account=now.account,
            through=[
                listed(self.request, Delivery, channel, channel=channel) if channel else name
                for channel, name in zip(channels, now.consumers, strict=True)
            ],
            adapter=adapter,
            share=share,
            limit=in_words(now.effective) + _burst(now),
            declared=in_words(now.declared),
            set_by=_set(now),
            why=now.reason if now.override is not None else "",
            granted=now.granted,
            held=tuple(self._held(now.account, breaker)),
            next_try=due(breaker.probe_at) if breaker and breaker.probe_at else "",
            buttons=tuple(self._buttons(now, breaker)),
        )

    def returned(self) -> Iterator[Returned]:
        for channel in pauses.names(Kind.CHANNEL):
            pause = self.channel_pauses.get(channel)
            for found in reputation.cases(channel):
                yield Returned(
                    key=anchor("returned", f"{channel}-{found.provider}"),
                    channel=listed(
                        self.request, Delivery, channel, channel=channel, state="bounced,complained"
                    ),
                    provider=found.provider or EMPTY,
                    since=ago(found.since),
                    bounces=found.bounces,
                    bounce_rate=_percent(found.bounce_rate),
                    soft_bounces=found.soft_bounces,
                    complaints=found.complaints,
                    complaint_rate=_percent(found.complaint_rate),
                    held=(of_pause(pause),) if pause else (),
                )

    def _held(self, account: str, breaker: Breaker | None) -> Iterator[Held]:
        pause = self.provider_pauses.get(account)
        if pause is not None:
            yield of_pause(pause)
        if breaker is not None and breaker.state == Breaker.State.OPEN:
            yield of_breaker(breaker)
        elif breaker is not None:
            said = {"count": breaker.failures, "error": breaker.last_error}
            yield Held(
                badge(_("failing"), tone=TROUBLE),
                _("%(count)d in a row: %(error)s") % said,
            )
        elif pause is None:
            yield Held(badge(_("in use"), tone=GOOD))

    def _buttons(self, now: Standing, breaker: Breaker | None) -> Iterator[Button]:
        account = now.account
        url = to("rate", account=account)
        yield button(self.request, "change_ratelimit", _("Change rate"), account, url)
        if account in self.can_pause or account in self.provider_pauses:
            paused = account in self.provider_pauses
            yield switch_button(self.request, Kind.PROVIDER, account, paused=paused)
        if breaker is not None and breaker.state == Breaker.State.OPEN:
            url = to("probe", account=account)
            yield button(self.request, "pause_sending", _("Try now"), account, url)


def _shares() -> Iterator[tuple[str, tuple[str, str]]]:
    """By account: its adapter, and its part of the channel's messages in percent."""
    for consumer in consumers.all_consumers():
        described = conf().channels.get(consumer.channel)
        if described is None:
            continue
        together = sum(each.weight for each in described.each)
        accounts = several.accounts_of(consumer)
        for account, each in zip(accounts, described.each, strict=True):
            share = f"{each.weight / together:.0%}" if described.providers else ""
            yield account, (each.adapter.rpartition(".")[2], share)


def _percent(rate: float | None) -> str:
    """Of too few messages nothing is told."""
    return "" if rate is None else f"{rate:.2%}"


def _burst(now: Standing) -> str:
    return _(", %(count)d at once") % {"count": now.burst} if now.burst > 1 else ""


def _set(now: Standing) -> str:
    """What an operator set, and who."""
    if now.override is None:
        return EMPTY
    rate = in_words(None if now.override == math.inf else now.override)
    return _("%(rate)s by %(by)s") % {"rate": rate, "by": now.changed_by or EMPTY}
