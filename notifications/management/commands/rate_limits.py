"""`manage.py rate_limits`: what each provider account may be sent, and the way to change it."""

from __future__ import annotations

import json
import math
import time
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from notifications import rate_limits
from notifications.management.verbs import VerbCommand, add_changing, listing, whoever
from notifications.models import RateLimit
from notifications.rate_limits import NONE, Standing, in_words


class Command(VerbCommand):
    help = (
        "List the limit of each provider account, set another, or go back to the one that its "
        "task declares. Workers obey within seconds. Without a verb, the list."
    )
    verbs = ("list", "set", "reset")

    def add_verbs(self, verbs: Any) -> None:
        listing(verbs, help="every account and its limit").add_argument(
            "--measure",
            type=_seconds,
            default=0.0,
            metavar="SECONDS",
            help="look on for so long, and say how much of each limit is used",
        )
        setting = verbs.add_parser("set", help="limit an account to another rate")
        setting.add_argument("account", help="an account's name: email")
        setting.add_argument("rate", type=_rate, help='"14/s", "100/m", "10/h", or "none"')
        setting.add_argument("--burst", type=_burst, help="units at once after a rest (1)")
        add_changing(setting, reason="shown to whoever looks")
        resetting = verbs.add_parser("reset", help="let the limit be what the task declares")
        resetting.add_argument("account", help="an account's name: email")
        add_changing(resetting, reason="shown to whoever looks", needed=False)

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "set":
                self._set(**options)
            case "reset":
                self._reset(**options)
            case _:
                self._list(options.get("measure", 0.0), as_json=options["json"])

    def _list(self, seconds: float, *, as_json: bool) -> None:
        used = _measure(seconds) if seconds else {}
        found = rate_limits.standings()
        if as_json:
            accounts = [{**_as_json(each), "used": used.get(each.account)} for each in found]
            self.stdout.write(json.dumps({"accounts": accounts}, cls=DjangoJSONEncoder))
            return
        width = max((len(each.account) for each in found), default=0)
        for each in found:
            line = f"  {each.account:<{width}}  {_words(each)}{_used_words(each, used)}"
            self.stdout.write(line if each.override is None else self.style.WARNING(line))

    def _set(
        self,
        *,
        account: str,
        rate: float,
        burst: int | None,
        reason: str,
        by: str,
        dry_run: bool,
        **_options: Any,
    ) -> None:
        now = rate_limits.standing(account)
        to = in_words(None if rate == math.inf else rate)
        change = f"{account}: {in_words(now.effective)} → {to}"
        change += f", {burst} at once" if burst else ""
        if dry_run:
            self.stdout.write(f"{change}; nothing was done")
            return
        rate_limits.set_limit(account, rate, burst=burst, by=whoever(by), reason=reason)
        self.stdout.write(change)

    def _reset(
        self, *, account: str, reason: str | None, by: str, dry_run: bool, **_options: Any
    ) -> None:
        now = rate_limits.standing(account)
        if now.override is None:
            self.stdout.write(f"{account}: {in_words(now.declared)}, as its task declares, already")
            return
        change = f"{account}: {in_words(now.effective)} → {in_words(now.declared)}"
        if dry_run:
            self.stdout.write(f"{change}; nothing was done")
            return
        rate_limits.take_back(account, by=whoever(by), reason=reason or "")
        self.stdout.write(change)


def _measure(seconds: float) -> dict[str, float]:
    """Units a second that each account was granted meanwhile."""
    before, since = _granted(), time.monotonic()
    time.sleep(seconds)
    after, length = _granted(), time.monotonic() - since
    return {name: (after[name] - before.get(name, 0)) / length for name in after}


def _granted() -> dict[str, int]:
    return dict(RateLimit.objects.values_list("account", "granted"))


def _words(each: Standing) -> str:
    granted = f", {each.granted} granted so far" if each.granted else ""
    if each.override is None:
        return f"{in_words(each.effective)}{granted}"
    when = f" since {timezone.localtime(each.changed_at):%Y-%m-%d %H:%M:%S}"
    burst = f", {each.burst} at once" if each.burst > 1 else ""
    return (
        f"{in_words(each.effective)}{burst} instead of {in_words(each.declared)}, set by "
        f"{each.changed_by}{when if each.changed_at else ''}: {each.reason}{granted}"
    )


def _used_words(each: Standing, used: dict[str, float]) -> str:
    if each.account not in used:
        return ""
    per_second = used[each.account]
    share = f", {per_second / each.effective:.0%} of the limit" if each.effective else ""
    return f", now {per_second:.1f} a second{share}"


def _as_json(each: Standing) -> dict[str, Any]:
    """JSON knows no infinity: an override that lifts the limit is the word "none"."""
    row = asdict(each)
    return row | {"override": NONE} if each.override == math.inf else row


def _rate(words: str) -> float:
    try:
        return rate_limits.wished(words)
    except ImproperlyConfigured as error:
        raise ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 60:
        raise ArgumentTypeError("give more than 0 and at most 60 seconds")
    return seconds


def _burst(text: str) -> int:
    try:
        return rate_limits.wished_burst(text)
    except ImproperlyConfigured as error:
        raise ArgumentTypeError(str(error)) from None
