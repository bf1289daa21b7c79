"""Whatever is typed as an argument of any command, the answer is a sentence and no traceback.

Commands, their verbs and arguments are found by themselves, so that a new one is asked, too. Each
run is a real one, and undone after it.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import transaction

from notifications import announcements
from notifications.models import (
    DeadLetter,
    Delivery,
    Job,
    ScheduledEvent,
    WebhookEndpoint,
    WorkerProcess,
)
from notifications.templating import editing, published
from notifications.templating.places import Place
from orders_site.api import desk
from tests.integration.operator_rows import make_everything
from tests.shop import a_customer, an_order
from tests.stack import ROOT

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}

ABSURD = (
    *("", "-1", "nan", "1e999", "²", "9999999999", "9" * 19, "9" * 5000, "999999d"),
    *("9999-12-31T23:59:59-23:59", "[" * 100_000, "../..", "x" * 100_000, "\0", "\udcff"),
)
"""The last but one cannot be typed, but a program may give it; of the last see below."""

LEFT_OUT = ("local", "demo")
"""They start servers, and have nothing to read but a directory."""

SENSIBLE: Mapping[str, str] = {
    "event_type": "order.created",
    "channel": "push",
    "reason": "the price was wrong",
    "by": "mira",
    "rate": "5/s",
    "account": "sms",
    "person": "customer/42",
    "about": "customer/42",
    "subject": "order/1",
    "address": "ann@example.org",
    "since": "2h",
    "fingerprint": "d418fd0eef0ca89f",
    "announce event_type": "shop.news",
    "announce data": '{"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}',
    "announce audience": "customers",
    "api_clients name": "till",
    "api_clients create name": "another-till",
    "dead_letters discard queue": "email",
    "dead_letters restore queue": "email",
    "deliveries edit facts": "carrier=DHL",
    "export list": "delivery",
    "export filter": "state=sent",
    "failures text": "a note",
    "jobs begin filter": "state=failed",
    "jobs set-rate rate": "5",
    "migrate_gently app_label": "notifications",
    "place_orders orders": "1",
    "queues queue": "email-bulk",
    "redrive queue": "email",
    "replay consumer": "email",
    "resend state": "sent",
    "restored skip_ids": "0",  # sequences are not undone
    "suppressions channel": "email",
    "suppressions import file": "addresses.csv",
    "templates language": "default",
    "templates number": "1",
    "templates to": "token",
    "templates export to": ".",
    "templates import directory": ".",
    "webhooks name": "warehouse",
    "webhooks url": "https://hooks.partner.example/",
}
"""Values of what an argument stands beside, by its name, and where that differs by verb."""

ALSO: Mapping[str, tuple[str, ...]] = {
    "announce": ("data", "reason"),
    "dead_letters discard": ("queue",),
    "dead_letters restore": ("queue",),
    "deliveries settle": ("id",),
    "drop": ("event_type", "reason"),
    "forget": ("reason",),
    "jobs begin": ("reason",),
    "preferences": ("reason",),
    "redrive": ("queue", "reason"),
    "replay": ("consumer", "since", "reason"),
    "resend": ("state", "reason"),
    "restored": ("skip_ids",),
    "suppressions remove": ("address", "channel"),
}
"""What a verb asks for besides what its parser does."""

FLAGS: Mapping[str, tuple[str, ...]] = {
    "deliveries show": ("--words",),
    "relay": ("--once",),
    **dict.fromkeys(("drop", "redrive", "replay", "resend"), ("--relay",)),
    **dict.fromkeys(("templates test", "webhooks test"), ("--dry-run",)),
}

ALONE = ("job",)
"""Arguments that are refused beside others."""

_DJANGOS = {action.dest for action in BaseCommand().create_parser("", "")._actions}


def _verbs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for name, app in sorted(get_commands().items()):
        if app.partition(".")[0] in ("notifications", "orders_site") and name not in LEFT_OUT:
            parser = load_command_class(app, name).create_parser("manage.py", name)
            yield name, parser
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    yield from ((f"{name} {verb}", each) for verb, each in action.choices.items())


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Those that take a value."""
    return [
        each
        for each in parser._actions
        if each.nargs != 0
        and each.dest not in _DJANGOS
        and not isinstance(each, argparse._SubParsersAction)
    ]


VERBS = {verb: parser for verb, parser in _verbs() if _arguments(parser)}


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """Something for each verb to begin with, by the name of the argument that names it."""
    monkeypatch.chdir(tmp_path)
    Path("addresses.csv").write_text("address,channel\nann@example.org,email\n")
    make_everything()
    WorkerProcess.objects.all().delete()  # of which `restored` would be wary
    an_order(customer=a_customer(devices=1))
    place = Place("order.created", "push", "")
    for subject in ("Thanks", "Thank you", "Thank you!"):
        editing.save_draft(place, {"subject": subject, "text": subject}, by="ada", revision=None)
        if not subject.endswith("!"):
            editing.publish(place, by="ada", comment="shorter")
    wanted = announcements.wish("shop.news", audience="customers", data=OFFER)
    running, paused = (
        str(announcements.begin(wanted, by="ada", reason=reason).pk) for reason in ("sale", "more")
    )
    announcements.pause(int(paused), by="ada", reason="a typo")
    desk.make_client(name="till", by="ada")
    desk.rotate_token(name="till", by="ada")
    yield {
        "announcement": paused,
        "announcements pause announcement": running,
        "job": str(Job.objects.get(state=Job.State.STOPPED).pk),
        "deliveries id": str(Delivery.objects.filter(state="unknown").latest("pk").pk),
        "dead_letters id": str(DeadLetter.objects.latest("pk").pk),
        "scheduled number": str(ScheduledEvent.objects.get(state="waiting").pk),
        "webhooks endpoint": WebhookEndpoint.objects.latest("pk").name,
    }
    published.look_again()


def _typed(
    verb: str, parser: argparse.ArgumentParser, asked: argparse.Action, rows: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """What stands before the value of the argument that is asked, and after it."""
    arguments = _arguments(parser)
    also = () if asked.dest in ALONE else ALSO.get(verb, ())
    groups = [each._group_actions for each in parser._mutually_exclusive_groups if each.required]
    one_of = [group[0] for group in groups if asked not in group]
    before = [] if asked.option_strings else arguments[: arguments.index(asked)]
    words = [[*verb.split(), *FLAGS.get(verb, ())], []]
    for each in arguments:
        place = words[arguments.index(each) > arguments.index(asked)]
        is_needed = each.required and each.nargs != "*"
        is_before = each in before and not each.option_strings
        if each is not asked and (is_needed or is_before or each.dest in also or each in one_of):
            flag = each.option_strings[0] + "=" if each.option_strings else ""
            place.append(flag + _sensible(verb, each, rows))
    return words[0], words[1]


def _sensible(verb: str, argument: argparse.Action, rows: Mapping[str, str]) -> str:
    known = {**SENSIBLE, **rows}
    name, command = argument.dest, verb.partition(" ")[0]
    for each in (f"{verb} {name}", f"{command} {name}", name):
        if each in known:
            return known[each]
    if argument.choices:
        return str(next(iter(argument.choices)))
    raise AssertionError(f"{verb}: say in SENSIBLE what {name} may be")


def _trouble(words: list[str]) -> str:
    """The traceback, if there is one. To a terminal of UTF-8."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    try:
        with transaction.atomic():
            call_command(*words, stdout=out, stderr=err)
            transaction.set_rollback(True)
    except (CommandError, SystemExit):
        return ""
    except Exception:  # noqa: BLE001 - whatever it is
        return ascii(traceback.format_exc(limit=-3)).replace("\\n", "\n")
    return ""


@pytest.mark.django_db
@pytest.mark.usefixtures("aws", "sandbox")
@pytest.mark.parametrize("command", sorted({verb.partition(" ")[0] for verb in VERBS}))
def test_no_value_of_an_argument_brings_a_traceback(command: str, rows: Mapping[str, str]) -> None:
    found = []
    for verb, parser in VERBS.items():
        for asked in _arguments(parser) if verb.partition(" ")[0] == command else ():
            before, after = _typed(verb, parser, asked, rows)
            flag = asked.option_strings[0] + "=" if asked.option_strings else ""
            for value in ABSURD:
                if trouble := _trouble([*before, flag + value, *after]):
                    found.append(f"{before} {asked.dest} {value[:40]!a} {after}\n{trouble}")
    assert not found, "\n".join(found)


def test_what_a_terminal_of_another_encoding_makes_of_an_umlaut_is_refused(
    environment: dict[str, str],
) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "timeline", "Müller".encode("latin-1")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "CommandError: 'M\\udcfcller' holds a NUL or half a character: type it in UTF-8.\n"
    )
