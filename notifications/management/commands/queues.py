"""`manage.py queues`: what lies in each queue and holds it, and the way to pause and resume."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from datetime import timedelta
from io import StringIO
from json import dumps
from typing import Any

from django.core.management.base import CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from notifications import breakers, pauses, rate_limits
from notifications.management import queue_text, watching
from notifications.management.verbs import VerbCommand, add_changing, listing, whoever
from notifications.models import Breaker, Pause
from notifications.queue_overview import overview

MINUTES, MOST_MINUTES = 15, 24 * 60


class Command(VerbCommand):
    help = (
        "List every queue and dead-letter queue: what lies in it, how old it is, how quickly it "
        "empties, who serves it, what holds it. Pause or resume a queue, a channel, one of its "
        "providers, an event type or a template, or let an account that is left alone be tried "
        "now; workers obey within seconds. "
        "Without a verb, the list."
    )
    verbs = ("list", "pause", "resume", "probe")

    def add_arguments(self, parser: CommandParser) -> None:
        _add_looking(parser, every=None, minutes=MINUTES)
        super().add_arguments(parser)

    def add_verbs(self, verbs: Any) -> None:
        _add_looking(listing(verbs, help="every queue"), every=SUPPRESS, minutes=SUPPRESS)
        pause = verbs.add_parser("pause", help="stop a queue, a channel, a provider or a type")
        _add_what(pause)
        add_changing(pause, reason="shown to whoever looks")
        resume = verbs.add_parser("resume", help="let it go on")
        _add_what(resume)
        add_changing(resume, reason="why; it is kept", needed=False)
        probe = verbs.add_parser("probe", help="try an account that is left alone, now")
        probe.add_argument("account", help="the provider account's name: email")
        add_changing(probe, reason="why; it is kept", needed=False)

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "pause":
                self._pause(*_what(options), **options)
            case "resume":
                self._resume(*_what(options), **options)
            case "probe":
                self._probe(**options)
            case _:
                self._list(**options)

    def _list(
        self,
        *,
        json: bool,
        watch: float | None = None,
        minutes: int = MINUTES,
        **_options: Any,
    ) -> None:
        span = timedelta(minutes=minutes)
        write = self._write_json if json else self._write
        watching.show(lambda out: write(out, span), self.stdout, every=watch, clear=not json)

    def _write(self, out: StringIO, span: timedelta) -> None:
        found = overview(span)
        for line, warn in queue_text.lines(found):
            out.write(f"  {self.style.WARNING(line) if warn else line}\n")
        for pause, put_off in _putting_off():
            line = f"{queue_text.pause_words(pause)}; {_messages(put_off)} put off"
            out.write(f"  {self.style.WARNING(line)}\n")

    def _write_json(self, out: StringIO, span: timedelta) -> None:
        found = overview(span)
        shown = {
            "at": found.at,
            "minutes": span.total_seconds() / 60,
            "trouble": found.trouble,
            "queues": [queue_text.as_json(row, found.at) for row in found.rows],
            "event_types": [
                {**queue_text.pause_json(pause), "put_off": put_off}
                for pause, put_off in _putting_off()
                if pause.kind == Pause.Kind.EVENT_TYPE
            ],
            "templates": [
                {**queue_text.pause_json(pause), "put_off": put_off}
                for pause, put_off in _putting_off()
                if pause.kind == Pause.Kind.TEMPLATE
            ],
        }
        out.write(f"{dumps(shown, cls=DjangoJSONEncoder)}\n")

    def _pause(
        self, kind: Pause.Kind, name: str, *, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        what = f"{kind.label} {name}"
        pauses.check(kind, name)
        if _in_force(kind, name):
            self.stdout.write(f"{what} is paused already; that pause stands as it is")
        elif dry_run:
            self.stdout.write(f"{what} would be paused; nothing was done")
        else:
            pauses.pause(kind, name, by=whoever(by), reason=reason)
            self.stdout.write(f"{what} is paused")

    def _resume(
        self,
        kind: Pause.Kind,
        name: str,
        *,
        by: str,
        reason: str | None,
        dry_run: bool,
        **_options: Any,
    ) -> None:
        what = f"{kind.label} {name}"
        if not _in_force(kind, name):
            pauses.check(kind, name)
            self.stdout.write(f"{what} is not paused")
        elif dry_run:
            put_off = pauses.waiting_for(kind, name)
            self.stdout.write(f"{what} would be resumed{_due(put_off)}; nothing was done")
        else:
            _resumed, due = pauses.resume(kind, name, by=whoever(by), reason=reason or "")
            self.stdout.write(f"{what} is resumed{_due(due)}")

    def _probe(
        self, *, account: str, by: str, reason: str | None, dry_run: bool, **_options: Any
    ) -> None:
        left_alone = Breaker.objects.filter(account=account, state=Breaker.State.OPEN)
        if not left_alone.exists():
            rate_limits.standing(account)  # names the accounts there are, if this is none of them
            self.stdout.write(f"account {account} is not left alone")
        elif dry_run:
            self.stdout.write(f"account {account} would be tried at once; nothing was done")
        else:
            breakers.probe_now(account, by=whoever(by), reason=reason or "")
            self.stdout.write(f"account {account} is tried with its next message")


def _add_looking(parser: ArgumentParser, *, every: Any, minutes: Any) -> None:
    """Before the verb and after it: no default goes over what was given."""
    watching.add_watch(parser, default=every)
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=minutes,
        help=f"tell lag and rate from the last so many ({MINUTES})",
    )


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST_MINUTES:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_MINUTES}")
    return int(text)


def _add_what(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("queue", nargs="?", help="a queue's name: email, email-bulk")
    what.add_argument("--channel", help="every queue of this channel")
    what.add_argument("--provider", help="one provider of a channel, by its account: email.ses")
    what.add_argument("--event-type", help="this event type, on every queue")
    what.add_argument(
        "--template", help="what is told of one event type over one channel: order.created/email"
    )


def _what(options: dict[str, Any]) -> tuple[Pause.Kind, str]:
    named = {
        Pause.Kind.QUEUE: options.pop("queue"),
        Pause.Kind.CHANNEL: options.pop("channel"),
        Pause.Kind.PROVIDER: options.pop("provider"),
        Pause.Kind.EVENT_TYPE: options.pop("event_type"),
        Pause.Kind.TEMPLATE: options.pop("template"),
    }
    return next((kind, name) for kind, name in named.items() if name is not None)


def _putting_off() -> list[tuple[Pause, int]]:
    """The event types and templates that are paused, with how many messages they have put off."""
    held = Pause.objects.in_force().filter(kind__in=Pause.PUTTING_OFF).order_by("kind", "name")
    return [(each, pauses.waiting_for(Pause.Kind(each.kind), each.name)) for each in held]


def _in_force(kind: Pause.Kind, name: str) -> bool:
    return Pause.objects.in_force().filter(kind=kind, name=name).exists()


def _due(messages: int) -> str:
    return f", {_messages(messages)} due that had been put off" if messages else ""


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
