"""`manage.py announcements`: how far they are; pause, resume and cancel them."""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications import announcement_progress, announcements, rate_limits
from notifications.announcement_progress import Standing
from notifications.management.announcing import details, summary, watch
from notifications.management.verbs import VerbCommand, add_changing, listing, up_to, whoever
from notifications.models import Announcement
from notifications.rate_limits import in_words

LIMIT, MOST = 20, 1000

_MOVES = {
    "pause": (announcements.pause, "hold what is ahead, within seconds; the rest was sent"),
    "resume": (announcements.resume, "go on with it"),
    "cancel": (announcements.cancel, "end it for good; what is not sent yet is skipped"),
}
_LEGAL = {
    "pause": Announcement.RUNNING,
    "resume": frozenset({Announcement.State.PAUSED}),
    "cancel": Announcement.OPEN,
}


class Command(VerbCommand):
    help = (
        "List announcements, the latest first, with what became of them, their pace and when they "
        "will be over; show or watch one; pause, resume or cancel one, or change its rate. Without "
        "a verb, the list."
    )
    verbs = ("list", "show", "watch", "pause", "resume", "cancel", "rate")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="announcements, the latest first")
        wanted.add_argument("--state", choices=Announcement.State.values, help="in this state")
        wanted.add_argument(
            "--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST} (%(default)s)"
        )
        for verb, help in (
            ("show", "one of them: each channel, and its log"),
            ("watch", "one of them, line by line, until it is over or paused"),
        ):
            listing(verbs, verb, help=help).add_argument("announcement", type=int)
        for verb, (_, help) in _MOVES.items():
            parser = verbs.add_parser(verb, help=help)
            parser.add_argument("announcement", type=int)
            add_changing(parser, reason="kept in its log")
        rate = verbs.add_parser("rate", help="people a second over each channel, from now on")
        rate.add_argument("announcement", type=int)
        rate.add_argument("rate", type=_rate, help='"50/s", "3000/m", or "none"')
        add_changing(rate, reason="kept in its log")

    def do(self, verb: str, **options: Any) -> None:
        try:
            match verb:
                case "show":
                    self._show(options["announcement"], as_json=options["json"])
                case "watch":
                    self._watch(options["announcement"], as_json=options["json"])
                case "rate":
                    self._change_rate(options.pop("announcement"), **options)
                case "list":
                    self._list(**options)
                case _:
                    self._move(verb, options.pop("announcement"), **options)
        except announcements.Refused as error:
            raise CommandError(error.message) from None

    def _list(
        self, *, limit: int = LIMIT, state: str | None = None, json: bool, **_options: Any
    ) -> None:
        chosen = {"state": state} if state else {}
        found = Announcement.objects.filter(**chosen).order_by("-id")[:limit]
        standings = [announcement_progress.standing(each) for each in found]
        if json:
            self._print({"announcements": list(map(announcement_progress.as_json, standings))})
            return
        for now in standings:
            it = now.announcement
            self.stdout.write(f"{summary(now)}  {it.event_type} to {it.audience}: {it.reason}")
        if not standings:
            self.stdout.write("Nothing has been announced.")

    def _show(self, number: int, *, as_json: bool) -> None:
        self._tell(announcement_progress.standing(announcements.find(number)), as_json=as_json)

    def _watch(self, number: int, *, as_json: bool) -> None:
        now = watch(number, self.stdout, quiet=as_json)
        self._tell(announcement_progress.standing(now), as_json=as_json)

    def _tell(self, now: Standing, *, as_json: bool) -> None:
        if as_json:
            log = list(now.announcement.log.order_by("id").values("at", "by", "text"))
            self._print({**announcement_progress.as_json(now), "log": log})
        else:
            self.stdout.write("\n".join(details(now)))

    def _move(
        self, verb: str, number: int, *, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        announcement = announcements.find(number)
        if dry_run:
            _refuse_unless(announcement, _LEGAL[verb])
            self.stdout.write(
                f"announcement {number} is {announcement.state}, and would be "
                f"{_DONE[verb]}; nothing was done"
            )
            return
        move, _ = _MOVES[verb]
        announcement = move(number, by=whoever(by), reason=reason)
        self.stdout.write(f"announcement {number} is {announcement.state}")

    def _change_rate(
        self, number: int, *, rate: float, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        wanted = None if rate == math.inf else rate
        announcement = announcements.find(number)
        was, now = in_words(announcement.rate), in_words(wanted)
        if dry_run:
            _refuse_unless(announcement, Announcement.OPEN)
        else:
            announcements.change_rate(number, wanted, by=whoever(by), reason=reason)
        nothing = "; nothing was done" if dry_run else ""
        self.stdout.write(f"announcement {number}: {was} → {now}{nothing}")

    def _print(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, cls=DjangoJSONEncoder))


_DONE = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}


def _refuse_unless(announcement: Announcement, legal: Collection[str]) -> None:
    if announcement.state not in legal:
        raise CommandError(f"Announcement {announcement.pk} is {announcement.state}.")


def _rate(text: str) -> float:
    try:
        return rate_limits.wished(text)
    except ImproperlyConfigured as error:
        raise ArgumentTypeError(str(error)) from None
