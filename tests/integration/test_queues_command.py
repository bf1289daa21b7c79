"""`manage.py queues`, as an operator types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from getpass import getuser
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from notifications import pauses, switches, topology
from notifications.models import Breaker, Dispatch, Pause, WorkerProcess
from tests.integration.operator_rows import make_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aws")]


@pytest.fixture(autouse=True)
def _fresh_switches() -> Iterator[None]:
    yield
    switches.look_again()


def queues(*arguments: str) -> str:
    output = StringIO()
    call_command("queues", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def listed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(queues("list", "--json"))
    return found


def test_without_a_verb_every_queue_is_listed() -> None:
    headings, *lines = [line.split() for line in queues().splitlines()]
    assert headings[:2] == ["QUEUE", "VISIBLE"]
    names = [line[0] for line in lines]
    email = names.index("email")
    assert names[email : email + 3] == ["email", "email-bulk", "email-dlq"]
    known = [queue["name"] for queue in listed()["queues"]]
    assert names == [name for name in known if not name.endswith("-undelivered")], "empty ones"
    assert len(known) == len(topology.current().queues)


def test_a_pause_is_listed_with_who_when_and_why() -> None:
    said = queues("pause", "email", "--reason", "the account moves", "--by", "ada")

    assert said == "queue email is paused\n"
    [line] = [line for line in queues("list").splitlines() if "paused" in line]
    assert line.split()[0] == "email"
    assert "paused by ada since 20" in line
    assert line.endswith(": the account moves")


def test_the_systems_user_is_the_one_who_pauses() -> None:
    queues("pause", "email", "--reason", "x")
    assert Pause.objects.get().paused_by == getuser()


def test_a_paused_channel_holds_both_of_its_queues() -> None:
    queues("pause", "--channel", "email", "--reason", "x")

    held = {queue["name"] for queue in listed()["queues"] if queue["pauses"]}
    assert held == {"email", "email-bulk"}
    assert queues("resume", "--channel", "email") == "channel email is resumed\n"


def test_an_open_breaker_is_listed_with_its_error_and_its_probe() -> None:
    Breaker.objects.failed("email", "SendingPaused", at_once=True, retry_after=90)

    lines = [line for line in queues().splitlines() if "SendingPaused" in line]
    assert [line.split()[0] for line in lines] == ["email", "email-bulk"]
    assert "account email left alone since 20" in lines[0]
    assert "next probe in " in lines[0]
    breakers = {queue["name"]: queue["breaker"] for queue in listed()["queues"]}
    assert breakers["email"]["error"] == "SendingPaused"
    assert breakers["sms"] is None


def test_what_a_worker_says_of_an_open_breaker_is_not_said_twice() -> None:
    Breaker.objects.failed("email", "SendingPaused", at_once=True, retry_after=90)
    why = "account email is left alone: SendingPaused"
    served = [{"name": "email", "last_poll": 2.5, "under_way": 0, "held_by": why}]
    WorkerProcess.objects.create(name="mail@host", host="host", pid=7, pool="x", queues=served)

    [line, _] = [line for line in queues().splitlines() if "SendingPaused" in line]
    assert line.count("SendingPaused") == 1


def test_what_a_worker_says_of_a_pause_is_not_said_twice() -> None:
    queues("pause", "--channel", "email", "--reason", "a bought list", "--by", "mira")
    why = "channel email paused by mira: a bought list"
    served = [{"name": "email", "last_poll": 2.5, "under_way": 0, "held_by": why}]
    WorkerProcess.objects.create(name="mail@host", host="host", pid=7, pool="x", queues=served)

    [line, _] = [line for line in queues().splitlines() if "a bought list" in line]
    assert line.count("a bought list") == 1


def test_a_paused_event_type_is_listed_with_what_it_put_off_and_resumed_with_it() -> None:
    queues("pause", "--event-type", "order.created", "--reason", "wrong template")
    pauses.put_off(make_event().envelope(), "email")

    assert "; 1 message put off" in queues().splitlines()[-1]
    [paused] = listed()["event_types"]
    assert (paused["name"], paused["put_off"]) == ("order.created", 1)
    said = queues("resume", "--event-type", "order.created")
    assert said == "event type order.created is resumed, 1 message due that had been put off\n"
    assert listed()["event_types"] == []


def test_a_template_and_a_provider_are_paused_and_resumed_like_the_rest() -> None:
    template = ("--template", "order.created/email")
    queues("pause", *template, "--reason", "wrong link")
    pauses.put_off(make_event().envelope(), "email")
    queues("pause", "--provider", "sms", "--reason", "it bounces")

    [paused] = listed()["templates"]
    assert (paused["name"], paused["put_off"]) == ("order.created/email", 1)
    assert "provider sms paused by" in queues()
    said = queues("resume", *template)
    assert said == "template order.created/email is resumed, 1 message due that had been put off\n"


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    said = queues("pause", "email", "--reason", "x", "--dry-run")
    assert said == "queue email would be paused; nothing was done\n"
    assert not Pause.objects.exists()

    queues("pause", "--event-type", "order.created", "--reason", "x")
    pauses.put_off(make_event().envelope(), "email")
    said = queues("resume", "--event-type", "order.created", "--dry-run")
    assert said == (
        "event type order.created would be resumed, "
        "1 message due that had been put off; nothing was done\n"
    )
    assert Pause.objects.in_force().exists()
    assert pauses.waiting("order.created") == Dispatch.objects.filter(reason="paused").count() == 1


def test_pausing_and_resuming_twice_is_no_error() -> None:
    queues("pause", "email", "--reason", "x", "--by", "ada")
    assert "paused already" in queues("pause", "email", "--reason", "y", "--by", "bob")
    assert Pause.objects.get().paused_by == "ada"
    queues("resume", "email")
    assert queues("resume", "email") == "queue email is not paused\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pause", "e-mail", "--reason", "x"], "No queue is named 'e-mail'; there are: .*email"),
        (["resume", "e-mail"], "No queue is named 'e-mail'; there are: .*email"),
        (["pause", "--channel", "fax", "--reason", "x"], "No channel is named 'fax'.*whatsapp"),
        (["pause", "--event-type", "x", "--reason", "x"], "No event type is named 'x'.*order"),
        (["pause", "email"], "--reason"),
        (["pause", "email", "--reason", " "], "give 1 to 255 characters"),
        (["pause", "--reason", "x"], "one of the arguments"),
        (["pause", "email", "--channel", "email", "--reason", "x"], "not allowed with"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        queues(*arguments)
    assert not Pause.objects.exists()


def test_an_account_that_is_left_alone_is_tried_at_once_when_an_operator_says_so() -> None:
    Breaker.objects.failed("email", "SendingPaused", at_once=True, retry_after=90)
    assert "would be tried" in queues("probe", "email", "--dry-run")
    assert "next probe in" in queues()

    assert queues("probe", "email") == "account email is tried with its next message\n"

    assert "next probe is due" in queues()
    assert Breaker.objects.get().state == Breaker.State.OPEN, "only a success closes it"


def test_an_account_that_nothing_holds_back_needs_no_probe_and_an_unknown_one_is_named() -> None:
    assert queues("probe", "email") == "account email is not left alone\n"
    with pytest.raises(CommandError, match=r"No account is named 'emial'; there are: .*email"):
        queues("probe", "emial")
