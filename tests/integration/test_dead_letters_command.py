"""`manage.py dead_letters`: what an operator finds, reads, sets aside and takes back."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from getpass import getuser
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications.models import DeadLetter
from tests.integration.graves import bury_many
from tests.integration.operator_rows import EMAIL, make_event

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("dead_letters", *map(str, arguments), stdout=out, no_color=True)
    return out.getvalue()


def ids(*arguments: object) -> list[int]:
    return [row["id"] for row in json.loads(run("list", "--json", *arguments))["dead_letters"]]


def a_letter(**given: Any) -> DeadLetter:
    number = DeadLetter.objects.count()
    return DeadLetter.objects.create(
        **{
            "queue": "email",
            "message_id": f"message-{number}",
            "body": b'{"order_id": 7}',
            "reason": "failed",
            "error_class": "builtins.KeyError",
            "error": f"no such mailbox: {EMAIL}",
            "fingerprint": "f1",
            "attempts": 9,
            "first_seen_at": timezone.now() - timedelta(days=1),
            "last_seen_at": timezone.now(),
            **given,
        }
    )


@pytest.mark.parametrize(
    ("narrowed", "given"),
    [
        (["--queue", "sms"], {"queue": "sms"}),
        (["--event-type", "order.shipped"], {"event_type": "order.shipped"}),
        (["--fingerprint", "f2"], {"fingerprint": "f2"}),
        (["--reason", "poison"], {"reason": "poison"}),
        (["--subject", "order/8"], {"subject": "order/8"}),
        (["--state", "discarded"], {"state": "discarded"}),
    ],
)
def test_the_list_is_narrowed(narrowed: list[str], given: dict[str, Any]) -> None:
    a_letter()
    wanted = a_letter(**given)
    assert ids(*narrowed) == [wanted.pk]
    assert f"{wanted.pk}  {wanted.state}  {wanted.queue}" in run("list", *narrowed)


def test_the_list_is_narrowed_by_time() -> None:
    old, young = a_letter(), a_letter()
    hour_ago = timezone.now() - timedelta(hours=1)
    DeadLetter.objects.filter(pk=old.pk).update(created_at=hour_ago - timedelta(hours=1))
    assert ids("--since", hour_ago.isoformat()) == [young.pk]
    assert ids("--until", hour_ago.strftime("%Y-%m-%dT%H:%M")) == [old.pk]
    assert ids("--since", "90m") == [young.pk]


def test_a_consumer_s_name_means_all_of_its_queues_as_for_a_redrive() -> None:
    bulk, main = a_letter(queue="email-bulk"), a_letter()
    a_letter(queue="sms")
    assert ids("--queue", "email") == [main.pk, bulk.pk]
    assert ids("--queue", "email-bulk") == [bulk.pk]


def test_without_a_verb_the_open_ones_are_listed_newest_first() -> None:
    letters = [a_letter() for _ in range(3)]
    a_letter(state="redriven")
    assert [int(line.split()[0]) for line in run().splitlines() if " open " in line] == [
        letter.pk for letter in reversed(letters)
    ]
    assert len(ids("--state", "all")) == 4


def test_the_pages_show_every_row_once() -> None:
    letters = {a_letter().pk for _ in range(5)}
    seen, after = [], []
    while True:
        page = json.loads(run("list", "--json", "--limit", 2, *after))
        seen += [row["id"] for row in page["dead_letters"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert len(seen) == 5
    assert set(seen) == letters
    assert "There are more: --after" in run("list", "--limit", 2)


def test_nothing_found_is_said() -> None:
    assert run("list", "--queue", "sms") == run("group", "--queue", "sms") == "Nothing matches.\n"


def test_no_address_is_printed() -> None:
    letter = a_letter(
        body=json.dumps({"to": EMAIL}).encode(), attributes={"to": EMAIL, "n": {"DataType": EMAIL}}
    )
    shown = [["list"], ["group"], ["show", letter.pk]]
    for arguments in shown + [[*each, "--json"] for each in shown]:
        printed = run(*arguments)
        assert "@example.org" in printed, arguments
        assert EMAIL not in printed


@pytest.mark.S1
def test_one_is_shown_with_its_body_why_it_is_here_and_what_is_ahead() -> None:
    event = make_event(7)
    letter = a_letter(
        event_id=event.pk, event_type=event.type, subject="order/7", reason="poison", generation=2
    )
    shown = run("show", letter.pk)
    assert f"order.created order/7, event {event.pk}, generation 2" in shown
    assert "poison: Its task began and never ended, again and again" in shown
    assert "builtins.KeyError no such mailbox" in shown
    assert "f1, after 9 attempts" in shown
    assert "may be redriven until " in shown
    assert ", for 11\N{NO-BREAK SPACE}months; is kept for as long as it is open" in shown
    assert shown.endswith('{\n  "order_id": 7\n}\n')


def test_the_countdown_begins_when_it_was_dealt_with() -> None:
    letter = a_letter()
    run("discard", letter.pk, "--reason", "a test order", "--by", "ada")
    shown = run("show", letter.pk)
    assert "discarded   by ada at 20" in shown
    assert ": a test order\n" in shown
    assert "is kept until " in shown
    found = json.loads(run("show", letter.pk, "--json"))
    assert found["deleted_at"] > found["changed_at"]
    assert found["redrivable_until"]
    assert found["why"].startswith("Its task raised an error")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"\xff\x00\x1b[31m<", "\\xff\\x00\\x1b[31m<\n"),
        (b'{"a": "\\ud800"}', '{\n  "a": "\\ud800"\n}\n'),
        (b"[" * 150_000, "… and 50000 characters more\n"),
        (b"", "\n"),
    ],
)
def test_any_body_can_be_read(body: bytes, shown: str) -> None:
    assert run("show", a_letter(body=body).pk).endswith(shown)


def test_the_body_s_own_bytes_can_be_had(capfdbinary: Any, monkeypatch: Any) -> None:
    body = b"\xff\x00 as they came"
    with open(1, "w", closefd=False) as out:
        monkeypatch.setattr(sys, "stdout", out)
        run("show", a_letter(body=body).pk, "--raw")
    assert capfdbinary.readouterr().out == body


def test_groups_are_counted_by_cause_the_most_frequent_first() -> None:
    often = [a_letter() for _ in range(3)]
    a_letter(fingerprint="f2", reason="poison", queue="sms")
    a_letter(state="redriven")

    lines = [line for line in run("group").splitlines() if not line.startswith(" ")]
    assert [line.split()[:3] for line in lines] == [["3", "f1", "failed"], ["1", "f2", "poison"]]
    [first, second] = json.loads(run("group", "--json"))["groups"]
    assert (first["count"], first["example"]) == (3, often[-1].pk)
    assert first["first_seen_at"] < first["last_seen_at"]
    assert second["queue"] == "sms"
    assert len(json.loads(run("group", "--json", "--limit", 1))["groups"]) == 1


def test_what_is_discarded_says_by_whom_and_why_and_may_be_restored() -> None:
    letter = a_letter()

    assert run("discard", letter.pk, "--reason", "a test order", "--by", "ada") == (
        "1 is now discarded\n"
    )
    letter.refresh_from_db()
    assert (letter.state, letter.changed_by, letter.change_reason) == (
        *("discarded", "ada"),
        "a test order",
    )
    assert letter.changed_at
    assert run("restore", letter.pk, "--reason", "it was none") == "1 is now open\n"
    letter.refresh_from_db()
    assert (letter.state, letter.changed_by, letter.change_reason) == (
        *("open", getuser()),
        "it was none",
    )


def test_a_dry_run_does_nothing() -> None:
    letter = a_letter()
    said = run("discard", letter.pk, "--reason", "x", "--dry-run")
    assert said == "1 would be discarded\n"
    assert DeadLetter.objects.get().state == "open"


def test_all_of_one_cause_are_discarded_at_once() -> None:
    for number in range(3):
        a_letter(fingerprint=f"f{number % 2}")
    redriven = a_letter(fingerprint="f0", state="redriven")

    said = run("discard", "--fingerprint", "f0", "--reason", "mended", "--json")

    assert json.loads(said) == {"moved": 2, "left_alone": {}, "dry_run": False}
    assert ids("--fingerprint", "f1") != []
    redriven.refresh_from_db()
    assert redriven.state == "redriven"


def test_those_that_cannot_be_moved_are_named(capsys: Any) -> None:
    letter, redriven = a_letter(), a_letter(state="redriven")
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command(
            *("dead_letters", "discard", str(letter.pk), str(redriven.pk), "9999"),
            *("--reason", "x"),
            stdout=out,
            no_color=True,
        )
    assert out.getvalue().splitlines() == [
        f"{redriven.pk}  left alone: it is redriven",
        "9999  left alone: there is no such dead letter",
        "1 is now discarded",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "9"], "There is no dead letter 9"),
        (["show", "x"], "'x' is no dead letter's id"),
        (["list", "--since", "noon"], "'noon' is no time: give "),
        (["list", "--limit", "0"], "not a whole number from 1 to 1000"),
        (["list", "--state", "x"], "invalid choice"),
        (["discard", "1"], "--reason"),
        (["discard", "--reason", "x"], "by their ids, or else by what they have in common"),
        (["discard", "1", "--queue", "email", "--reason", "x"], "or else by what they have"),
        (["discard", "1", "--reason", " "], "give 1 to 255 characters"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)


@pytest.mark.usefixtures("aws")
def test_depth_is_said_by_consumer() -> None:
    bury_many(["one", "two"])
    a_letter(queue="email-bulk")
    assert re.search(r"^  email +2 in SQS, 1 open here$", run("depth"), re.MULTILINE)
    found = json.loads(run("depth", "--json"))
    assert found["total"] == 3
    assert {"consumer": "email", "in_sqs": 2, "open": 1, "total": 3} in found["depths"]


@pytest.mark.usefixtures("empty_aws")
def test_queues_that_are_not_there_are_said() -> None:
    with pytest.raises(CommandError, match="does not exist"):
        run("depth")
