"""`manage.py queues`: what holds each queue, and the operators' way to pause and resume."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from getpass import getuser
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from notifications import breakers, consumers, pauses, rate_limits
from notifications.management.verbs import VerbCommand, add_changing, listing, local_moment
from notifications.models import Breaker, Pause

Row = dict[str, Any]


class Command(VerbCommand):
    help = (
        "List the queues with what holds them; pause or resume a queue, a channel or an "
        "event type, or let an account that is left alone be tried now. Workers obey within "
        "seconds. Without a verb, the list."
    )
    verbs = ("list", "pause", "resume", "probe")

    def add_verbs(self, verbs: Any) -> None:
        listing(verbs, help="every queue, with what holds it")
        pause = verbs.add_parser("pause", help="stop a queue, a channel or an event type")
        _add_what(pause)
        add_changing(pause, reason="shown to whoever looks")
        resume = verbs.add_parser("resume", help="let it go on")
        _add_what(resume)
        add_changing(resume)
        probe = verbs.add_parser("probe", help="try an account that is left alone, now")
        probe.add_argument("account", help="the provider account's name: email")
        add_changing(probe)

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "pause":
                self._pause(*_what(options), **options)
            case "resume":
                self._resume(*_what(options), **options)
            case "probe":
                self._probe(**options)
            case _:
                self._list(as_json=options["json"])

    def _list(self, *, as_json: bool) -> None:
        listed = {"queues": _queues(), "event_types": _event_types()}
        if as_json:
            self.stdout.write(json.dumps(listed, cls=DjangoJSONEncoder))
            return
        width = max((len(queue["name"]) for queue in listed["queues"]), default=0)
        for queue in listed["queues"]:
            held = [_pause_words(pause) for pause in queue["pauses"]]
            held += [_breaker_words(queue["breaker"])] if queue["breaker"] else []
            self._print(f"{queue['name']:<{width}}  {'; '.join(held) or 'open'}", warn=bool(held))
        for paused in listed["event_types"]:
            put_off = _messages(paused["put_off"])
            self._print(f"{_pause_words(paused)}; {put_off} put off", warn=True)

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
            pauses.pause(kind, name, by=by or getuser(), reason=reason)
            self.stdout.write(f"{what} is paused")

    def _resume(
        self, kind: Pause.Kind, name: str, *, by: str, dry_run: bool, **_options: Any
    ) -> None:
        what = f"{kind.label} {name}"
        if not _in_force(kind, name):
            pauses.check(kind, name)
            self.stdout.write(f"{what} is not paused")
        elif dry_run:
            put_off = pauses.waiting(name) if kind is Pause.Kind.EVENT_TYPE else 0
            self.stdout.write(f"{what} would be resumed{_due(put_off)}; nothing was done")
        else:
            _resumed, due = pauses.resume(kind, name, by=by or getuser())
            self.stdout.write(f"{what} is resumed{_due(due)}")

    def _probe(self, *, account: str, by: str, dry_run: bool, **_options: Any) -> None:
        left_alone = Breaker.objects.filter(account=account, state=Breaker.State.OPEN)
        if not left_alone.exists():
            rate_limits.standing(account)  # names the accounts there are, if this is none of them
            self.stdout.write(f"account {account} is not left alone")
        elif dry_run:
            self.stdout.write(f"account {account} would be tried at once; nothing was done")
        else:
            breakers.probe_now(account, by=by or getuser())
            self.stdout.write(f"account {account} is tried with its next message")

    def _print(self, line: str, *, warn: bool) -> None:
        self.stdout.write(f"  {self.style.WARNING(line) if warn else line}")


def _add_what(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("queue", nargs="?", help="a queue's name: email, email-bulk")
    what.add_argument("--channel", help="every queue of this channel")
    what.add_argument("--event-type", help="this event type, on every queue")


def _what(options: dict[str, Any]) -> tuple[Pause.Kind, str]:
    named = {
        Pause.Kind.QUEUE: options.pop("queue"),
        Pause.Kind.CHANNEL: options.pop("channel"),
        Pause.Kind.EVENT_TYPE: options.pop("event_type"),
    }
    return next((kind, name) for kind, name in named.items() if name is not None)


def _queues() -> list[Row]:
    """Every queue that workers poll, with the pauses and the breaker that hold it."""
    in_force = list(Pause.objects.in_force())
    left_alone = {
        breaker.account: _breaker(breaker)
        for breaker in Breaker.objects.filter(state=Breaker.State.OPEN)
    }

    def row(name: str, consumer: consumers.Consumer) -> Row:
        holding = {(Pause.Kind.QUEUE, name), (Pause.Kind.CHANNEL, consumer.channel)}
        held_by = [pause for pause in in_force if (pause.kind, pause.name) in holding]
        return {
            "name": name,
            "consumer": consumer.name,
            "channel": consumer.channel,
            "account": consumer.account_name,
            "pauses": [_pause(pause) for pause in held_by],
            "breaker": left_alone.get(consumer.account_name),
        }

    return [row(queue.name, consumers.get(queue.consumer)) for queue in pauses.queues()]


def _event_types() -> list[Row]:
    """The paused ones, with how many messages they have put off."""
    held = Pause.objects.in_force().filter(kind=Pause.Kind.EVENT_TYPE).order_by("name")
    return [{**_pause(pause), "put_off": pauses.waiting(pause.name)} for pause in held]


def _in_force(kind: Pause.Kind, name: str) -> bool:
    return Pause.objects.in_force().filter(kind=kind, name=name).exists()


def _pause(pause: Pause) -> Row:
    return {
        "kind": pause.kind,
        "name": pause.name,
        "by": pause.paused_by,
        "reason": pause.reason,
        "since": pause.paused_at,
    }


def _breaker(breaker: Breaker) -> Row:
    return {
        "account": breaker.account,
        "error": breaker.last_error,
        "failures": breaker.failures,
        "openings": breaker.openings,
        "since": breaker.opened_at,
        "probe_at": breaker.probe_at,
    }


def _pause_words(pause: Row) -> str:
    what = f"{Pause.Kind(pause['kind']).label} {pause['name']}"
    return f"{what} paused by {pause['by']} since {local_moment(pause['since'])}: {pause['reason']}"


def _breaker_words(breaker: Row) -> str:
    return (
        f"account {breaker['account']} left alone since {local_moment(breaker['since'])}, "
        f"{breaker['failures']} failures: {breaker['error']}; next probe {_due_in(breaker)}"
    )


def _due_in(breaker: Row) -> str:
    seconds = (breaker["probe_at"] - timezone.now()).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else "is due"


def _due(messages: int) -> str:
    return f", {_messages(messages)} due that had been put off" if messages else ""


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
