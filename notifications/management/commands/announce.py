"""`manage.py announce`: send one event type to a whole audience, on the bulk queues."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from notifications import announcement_progress, announcements, audiences, rate_limits
from notifications.announcements import Trial, Wish
from notifications.durations import words
from notifications.management.announcing import watch
from notifications.management.verbs import ChangingCommand, add_changing, whoever


class Command(ChangingCommand):
    help = (
        "Send one event type to everybody in an audience. The relays take it from there, batch by "
        "batch on the bulk queues: no fresh receipt waits behind it. `manage.py announcements` "
        "shows how far it is, pauses, resumes and cancels it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        there = ", ".join(each.name for each in audiences.all_audiences()) or "none are declared"
        parser.add_argument("event_type", help='as it is registered: "shop.news"')
        parser.add_argument("--audience", required=True, help=f"whom: {there}")
        parser.add_argument(
            "--data",
            type=_object,
            default={},
            help="the event's facts that are the same for everybody, as a JSON object",
        )
        parser.add_argument(
            "--channels", type=_names, default=(), help="only over these: email,push (all it has)"
        )
        parser.add_argument(
            "--rate", type=_rate, help="people over each channel, at most: 100/s, 5000/h (no limit)"
        )
        parser.add_argument("--watch", action="store_true", help="stay, and show how far it is")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        add_changing(parser, reason="why; it is kept", needed=False)

    def handle(self, **options: Any) -> None:
        try:
            wanted = announcements.wish(
                options["event_type"],
                audience=options["audience"],
                data=options["data"],
                channels=options["channels"],
            )
            if options["dry_run"]:
                self._try_out(wanted, options)
            else:
                self._begin(wanted, options)
        except announcements.Refused as error:
            raise CommandError(error.message) from None
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None

    def _begin(self, wanted: Wish, options: dict[str, Any]) -> None:
        if not options["reason"]:
            raise CommandError('Say why: --reason "…"; it is kept with the announcement.')
        begun = announcements.begin(
            wanted,
            by=whoever(options["by"]),
            reason=options["reason"],
            rate=options["rate"],
        )
        if not options["json"]:
            about = announcements.people(begun.estimate)
            self.stdout.write(
                f"announcement {begun.pk}: {begun.event_type} to about {about} by "
                f"{', '.join(begun.channels)}"
            )
        if options["watch"]:
            begun = watch(begun.pk, self.stdout, quiet=options["json"])
        if options["json"]:
            now = announcement_progress.standing(begun)
            self.stdout.write(json.dumps(announcement_progress.as_json(now), cls=DjangoJSONEncoder))

    def _try_out(self, wanted: Wish, options: dict[str, Any]) -> None:
        trial = announcements.try_out(wanted)
        left = announcement_progress.seconds_for(trial.people, wanted.channels, options["rate"])
        if options["json"]:
            answer = {
                "dry_run": True,
                "people": trial.people,
                "looked_at": trial.looked_at,
                "refused": trial.refused,
                "channels": {
                    channel: {
                        "told": trial.told[channel],
                        "excluded": dict(trial.excluded[channel]),
                        "seconds": seconds if seconds is None else round(seconds, 1),
                    }
                    for channel, seconds in left.items()
                },
            }
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(
            f"{wanted.kind.name} to {announcements.people(trial.people)} ({wanted.audience.name})"
        )
        for line in _lines(trial, left, options["rate"]):
            self.stdout.write(line)
        self.stdout.write("Nothing was done.")


def _lines(trial: Trial, left: dict[str, float | None], rate: float | None) -> list[str]:
    of = "" if trial.looked_at == trial.people else f"of the first {trial.looked_at:,}: "
    width = max(map(len, left))
    lines = []
    for channel, seconds in left.items():
        kept = trial.excluded[channel]
        without = "".join(f", {count:,} not ({why})" for why, count in sorted(kept.items()))
        takes = f"; {words(seconds)} for all" if seconds is not None else "; as fast as it goes"
        told = f"{of}{trial.told[channel]:,} messages{without}{takes}"
        lines.append(f"  {channel:<{width}}  {told}")
    if trial.refused:
        lines.append(f"  {trial.refused:,} rows make no event: {trial.why_refused}")
    if rate is not None:
        lines.append(f"  at most {rate_limits.in_words(rate)} over each channel")
    return lines


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ArgumentTypeError(f'{text[:80]!r} is no JSON object: give {{"field": value}}')
    return data


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _rate(text: str) -> float:
    try:
        if rate_limits.parse(text) is None:
            raise ArgumentTypeError(f"{text!r}: give more than 0, or no --rate")
        return rate_limits.wished(text)
    except ImproperlyConfigured as error:
        raise ArgumentTypeError(str(error)) from None
