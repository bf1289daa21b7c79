"""Every command that changes something leaves an entry: by whom, why, and by which door.

A new verb is found by itself (it has `--dry-run`) and must be added to VERBS.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import transaction
from django.utils import timezone

from notifications import announcements, schedule, suppressions, webhooks
from notifications.models import AuditEntry, Breaker, DeadLetter, Event, Job, Pause, WebhookEndpoint
from notifications.templating import editing, published
from notifications.templating.places import Place
from orders_site.api.clients import make_client
from orders_site.events import OrderShipped
from orders_site.orders.services import ship_order
from tests.integration.operator_rows import EMAIL, make_delivery, make_event
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
PUSH = Place("order.created", "push", "de")

CHANGES_NOTHING_OF_OURS = {
    "templates export",  # writes files
    "rollup",  # computes what the relays compute anyway
}


@pytest.fixture(autouse=True)
def _nothing_published() -> Iterator[None]:
    published.look_again()
    yield
    published.look_again()


def _letter(state: str = "open") -> str:
    return str(DeadLetter.objects.create(queue="email", message_id="m", body=b"?", state=state).pk)


def _delivery(state: str = "sent") -> str:
    return str(make_delivery(make_event(), state=state).pk)


def _editable() -> str:
    order = an_order(customer=a_customer())
    ship_order(order=order, carrier="DHL", tracking_code="X1")
    event = Event.objects.get(type="order.shipped", subject=f"order/{order.pk}")
    return str(make_delivery(event, recipient=f"customer/{order.customer.pk}").pk)


def _job(state: str = "running") -> str:
    row = Job.objects.create(kind="resend", state=state, actor="ada", reason="x", rate=1)
    return str(row.pk)


def _announcement(*, paused: bool = False) -> str:
    wanted = announcements.wish("shop.news", audience="customers", data=OFFER)
    number = announcements.begin(wanted, by="ada", reason="sale").pk
    if paused:
        announcements.pause(number, by="ada", reason="wait")
    return str(number)


def _version(text: str) -> None:
    an_order(customer=a_customer(devices=1))  # with which it is tried out
    editing.save_draft(PUSH, {"subject": "Danke", "text": text}, by="ada", revision=None)


def _published(*texts: str) -> list[str]:
    for text in texts:
        _version(text)
        editing.publish(PUSH, by="ada", comment="new")
    return [PUSH.event_type, PUSH.channel, PUSH.language]


def _drafted() -> list[str]:
    _version("Danke!")
    return [PUSH.event_type, PUSH.channel, PUSH.language]


def _tried() -> list[str]:
    an_order(customer=a_customer(devices=1))
    return [*_published("one"), "--to", "token-of-a-phone"]


def _endpoint(state: str = "enabled") -> str:
    return WebhookEndpoint.objects.create(
        name="warehouse", url="https://127.0.0.1/", state=state, secret=webhooks.new_secret()
    ).name


def _client(**given: Any) -> str:
    return make_client(name="till", by="ada", **given)[0].name


def _rotated() -> str:
    call_command("api_clients", "rotate", name := _client(), stdout=StringIO(), stderr=StringIO())
    return name


def _paused() -> str:
    Pause.objects.pause(Pause.Kind.QUEUE, "email", by="ada", reason="away")
    return "email"


def _breaker() -> str:
    later = timezone.now() + timedelta(minutes=5)
    return Breaker.objects.create(account="email", state="open", failures=5, probe_at=later).pk


def _scheduled() -> str:
    with transaction.atomic():
        later = timezone.now() + timedelta(hours=1)
        return str(schedule.add(OrderShipped(order_id=1), at=later))


def _limited() -> str:
    call_command("rate_limits", "set", "email", "2/s", "--reason", "before", stdout=StringIO())
    return "email"


def _suppressed() -> str:
    suppressions.suppress(channel="email", address=EMAIL, reason="operator")
    return EMAIL


Case = tuple[str, Callable[[Path], list[str]]]

VERBS: dict[str, Case] = {
    "announce": (
        "announcement.start",
        lambda _: ["shop.news", "--audience", "customers", "--data", json.dumps(OFFER)],
    ),
    "announcements cancel": ("announcement.cancel", lambda _: [_announcement()]),
    "announcements pause": ("announcement.pause", lambda _: [_announcement()]),
    "announcements rate": ("announcement.rate", lambda _: [_announcement(), "3/s"]),
    "announcements resume": ("announcement.resume", lambda _: [_announcement(paused=True)]),
    "api_clients allow": ("api_client.allow", lambda _: [_client()]),
    "api_clients create": ("api_client.create", lambda _: ["till"]),
    "api_clients end-old": ("api_client.end_old", lambda _: [_rotated()]),
    "api_clients forbid": ("api_client.forbid", lambda _: [_client(may_announce=True)]),
    "api_clients revoke": ("api_client.revoke", lambda _: [_client()]),
    "api_clients rotate": ("api_client.rotate", lambda _: [_client()]),
    "dead_letters discard": ("dead_letter.discard", lambda _: [_letter()]),
    "dead_letters restore": ("dead_letter.restore", lambda _: [_letter("discarded")]),
    "deliveries discard": ("delivery.discard", lambda _: [_delivery("failed")]),
    "deliveries edit": (
        "delivery.edit_and_resend",
        lambda _: [_editable(), "--set", "carrier=UPS"],
    ),
    "deliveries settle": ("delivery.settle", lambda _: [_delivery("unknown"), "--as", "sent"]),
    "drop": ("job.drop", lambda _: ["--event-type", "order.created"]),
    "forget": ("person.forget", lambda _: ["customer/42"]),
    "jobs begin": ("job.resend", lambda _: ["resend", f"delivery={_delivery()}"]),
    "jobs cancel": ("job.cancel", lambda _: [_job()]),
    "jobs pause": ("job.pause", lambda _: [_job()]),
    "jobs resume": ("job.resume", lambda _: [_job("stopped")]),
    "jobs set-rate": ("job.set_rate", lambda _: [_job(), "9"]),
    "jobs stop": ("job.pause", lambda _: [_job()]),
    "preferences": ("preference.set", lambda _: ["customer/42", "--set", "news:email=no"]),
    "provision": ("topology.provision", lambda _: []),
    "purge": ("retention.purge", lambda _: []),
    "queues pause": ("queue.pause", lambda _: ["email"]),
    "queues probe": ("breaker.probe", lambda _: [_breaker()]),
    "queues resume": ("queue.resume", lambda _: [_paused()]),
    "rate_limits reset": ("rate_limit.reset", lambda _: [_limited()]),
    "rate_limits set": ("rate_limit.set", lambda _: ["email", "3/s"]),
    "redrive": ("job.redrive", lambda _: ["--id", _letter()]),
    "replay": ("job.replay", lambda _: ["analytics", "--subject", "order/1"]),
    "resend": ("job.resend", lambda _: ["--delivery", _delivery()]),
    "reseal": ("addresses.reseal", lambda _: []),
    "restored": ("database.restored", lambda _: []),
    "scheduled call-off": ("scheduled_event.call_off", lambda _: [_scheduled()]),
    "scheduled now": ("scheduled_event.bring_forward", lambda _: [_scheduled()]),
    "suppressions add": ("suppression.add", lambda _: [EMAIL, "--channel", "email"]),
    "suppressions import": (
        "suppression.import",
        lambda directory: [_file(directory), "--channel", "email"],
    ),
    "suppressions remove": ("suppression.remove", lambda _: [_suppressed(), "--channel", "email"]),
    "templates drop-draft": ("template.drop_draft", lambda _: _drafted()),
    "templates import": ("template.save_draft", lambda directory: [_directory(directory)]),
    "templates publish": ("template.publish", lambda _: _drafted()),
    "templates rollback": ("template.rollback", lambda _: [*_published("one", "two"), "1"]),
    "templates take-back": ("template.take_back", lambda _: _published("one")),
    "templates test": ("template.test", lambda _: _tried()),
    "told": ("person.told", lambda _: [EMAIL]),
    "webhooks add": ("webhook.add", lambda _: ["warehouse", "https://hooks.partner.example/"]),
    "webhooks disable": ("webhook.disable", lambda _: [_endpoint()]),
    "webhooks enable": ("webhook.enable", lambda _: [_endpoint("disabled")]),
    "webhooks rotate": ("webhook.rotate", lambda _: [_endpoint()]),
    "webhooks test": ("webhook.test", lambda _: [_endpoint()]),
}
"""Each verb with its action, and with the rows and arguments that make it do something."""


def _file(directory: Path) -> str:
    (path := directory / "list.csv").write_text(f"address\n{EMAIL}\n")
    return str(path)


def _directory(directory: Path) -> str:
    (there := directory / "notifications" / PUSH.event_type / "de").mkdir(parents=True)
    (there / "push.txt").write_text("Vielen Dank.")
    return str(directory)


@cache
def _parsers() -> dict[str, argparse.ArgumentParser]:
    """Ours, by verb: "queues pause"; a command without verbs by its name."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name, app in get_commands().items():
        if not str(app).startswith(("notifications", "orders_site")):
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        verbs = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        found |= {f"{name} {verb}": each for of in verbs for verb, each in of.choices.items()}
        if not verbs:
            found[name] = parser
    return found


def _takes(parser: argparse.ArgumentParser, option: str) -> bool:
    return any(option in each.option_strings for each in parser._actions)


def test_every_verb_that_changes_something_is_in_the_table() -> None:
    changing = {verb for verb, parser in _parsers().items() if _takes(parser, "--dry-run")}
    assert changing - CHANGES_NOTHING_OF_OURS <= set(VERBS)


@pytest.mark.usefixtures("empty_aws")
@pytest.mark.parametrize("verb", VERBS)
def test_who_does_it_and_why_is_on_record(verb: str, tmp_path: Path) -> None:
    action, arguments = VERBS[verb]
    given = arguments(tmp_path)
    parser = _parsers()[verb]
    reason = "a test" if _takes(parser, "--reason") else ""
    why = ["--reason", reason] if reason else []
    with suppress(CommandError, SystemExit):  # what was not told, or cannot be reached
        call_command(
            *verb.split(), *given, *why, "--by", "mira", stdout=StringIO(), stderr=StringIO()
        )

    entry = AuditEntry.objects.get(action=action, actor="mira")
    assert (entry.door, entry.reason) == ("command", reason)
    assert entry.target
    assert EMAIL not in str((entry.target, entry.before, entry.after))
