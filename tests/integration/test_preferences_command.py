"""`manage.py preferences`: shown, set by an operator, and proven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from notifications.models import Consent
from notifications.preferences import wanted
from tests import news
from tests.integration.letters import Town

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("club")]

WHO = "customer/1"
SAID = ("--reason", "she wrote to us", "--by", "mira")


@pytest.fixture
def club(town: Town, settings: Any, tmp_path: Path) -> Iterator[Town]:
    with news.declared(settings, tmp_path):
        yield town


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("preferences", WHO, *arguments, stdout=out)
    return out.getvalue()


def test_what_holds_is_shown_also_of_somebody_who_never_said_anything() -> None:
    assert run().splitlines() == [
        "  yes  service by email  always: it is transactional",
        "  yes  service by sms  always: it is transactional",
        "  yes  news by email  never said so",
        "  yes  news by sms  never said so",
    ]


def test_an_operator_sets_it_with_a_reason_and_the_history_tells() -> None:
    assert "1 would be changed" in run("--set", "news:sms=no", *SAID, "--dry-run")
    assert not Consent.objects.exists()

    assert "2 changed" in run("--set", "news:sms=no", "--set", "news:email=yes", *SAID)

    assert not wanted(WHO, "news", "sms")
    found = json.loads(run("--history", "--json"))
    assert found["person"] == WHO
    assert {(row["category"], row["channel"]): row["said"] for row in found["preferences"]} == {
        ("service", "email"): None,
        ("service", "sms"): None,
        ("news", "email"): True,
        ("news", "sms"): False,
    }
    assert {(row["source"], row["by"], row["reason"]) for row in found["history"]} == {
        ("operator", "mira", "she wrote to us")
    }
    assert "no   news by sms  an operator by mira: she wrote to us" in run("--history")
    assert "0 changed" in run("--set", "news:sms=no", *SAID)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "news:sms=no"], "Say why, as --reason"),
        (["--set", "service:sms=no", *SAID], "service is transactional"),
        (["--set", "weather:sms=no", *SAID], "No category is named 'weather'"),
        (["--set", "news:fax=no", *SAID], "'fax' is no channel; there are: email, sms"),
        (["--set", "news:sms", *SAID], "give a category, a channel and yes or no"),
        (["--set", "news:email=no", "--set", "service:sms=no", *SAID], "Nothing was done"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)
    assert not Consent.objects.exists()


@pytest.mark.parametrize("person", ["ann@example.org", "+49 151 12345678", " "])
def test_an_address_is_nobody_s_reference(person: str) -> None:
    with pytest.raises(CommandError, match=r"an address|1 to 255") as caught:
        call_command("preferences", person, "--set", "news:email=no", *SAID, stdout=StringIO())
    assert person == " " or person not in str(caught.value)
    assert not Consent.objects.exists()
