"""`manage.py rate_limits`, as an operator types it."""

from __future__ import annotations

import json
import math
from getpass import getuser
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from notifications.conf import ChannelConf, ProviderConf
from notifications.models import RateLimit

pytestmark = pytest.mark.django_db


def rate_limits(*arguments: str) -> str:
    output = StringIO()
    call_command("rate_limits", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def listed(account: str, *arguments: str) -> dict[str, Any]:
    accounts = json.loads(rate_limits("list", "--json", *arguments))["accounts"]
    (found,) = [each for each in accounts if each["account"] == account]
    return dict(found)


def grant(most: int = 1) -> None:
    RateLimit.objects.grant("email", 5.0, most=most, horizon=10.0)


def test_without_a_verb_every_account_is_listed_with_its_limit() -> None:
    lines = [line.split() for line in rate_limits().splitlines()]

    assert ["email", "5/s"] in lines
    assert ["sms", "3/s"] in lines


def test_the_list_tells_what_is_declared_set_and_granted() -> None:
    grant(3)
    rate_limits("set", "email", "30/m", "--reason", "they asked", "--by", "ada", "--burst", "2")

    found = listed("email")

    assert (found["declared"], found["override"], found["effective"]) == (5.0, 0.5, 0.5)
    assert (found["granted"], found["burst"], found["consumers"]) == (3, 2, ["email"])
    assert (found["changed_by"], found["reason"]) == ("ada", "they asked")
    (line,) = [line for line in rate_limits().splitlines() if "email" in line]
    assert line.split()[:8] == ["email", "30/m,", "2", "at", "once", "instead", "of", "5/s,"]
    assert "set by ada since 20" in line


def test_what_is_used_is_measured_on_request() -> None:
    grant()

    assert listed("email")["used"] is None
    assert listed("email", "--measure", "0.05")["used"] == 0.0
    assert "now 0.0 a second, 0% of the limit" in rate_limits("list", "--measure", "0.05")


def test_a_limit_that_is_set_says_what_it_was() -> None:
    assert rate_limits("set", "email", "50/s", "--reason", "x") == "email: 5/s → 50/s\n"
    assert RateLimit.objects.get().changed_by == getuser()
    assert rate_limits("set", "email", "none", "--reason", "x") == "email: 50/s → none\n"
    assert listed("email")["override"] == "none"
    assert RateLimit.objects.get().override == math.inf


def test_a_reset_leaves_what_the_task_declares() -> None:
    rate_limits("set", "email", "50/s", "--reason", "x")

    assert rate_limits("reset", "email", "--by", "bob") == "email: 50/s → 5/s\n"
    assert listed("email")["effective"] == 5.0
    assert "already" in rate_limits("reset", "email")


@pytest.mark.parametrize("arguments", [("set", "email", "50/s", "--reason", "x"), ("reset", "sms")])
def test_a_dry_run_changes_nothing(arguments: tuple[str, ...]) -> None:
    RateLimit.objects.set_override("sms", 1.0, by="ada", reason="before")

    said = rate_limits(*arguments, "--dry-run")

    assert said.endswith("; nothing was done\n")
    assert [row.account for row in RateLimit.objects.exclude(override=None)] == ["sms"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "emial", "5/s", "--reason", "x"), "there are: analytics, email"),
        (("set", "email", "often", "--reason", "x"), "5/s"),
        (("set", "email", "0", "--reason", "x"), "queues pause"),
        (("set", "email", "5/s", "--burst", "0", "--reason", "x"), "1 or more"),
        (("set", "email", "5/s"), "--reason"),
        (("reset", "emial"), "there are: analytics, email"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_mend(
    arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CommandError) as refused:
        rate_limits(*arguments)
    assert said in str(refused.value)
    assert not RateLimit.objects.exists()


def test_each_of_several_providers_is_listed_and_changed_by_itself(settings: Any) -> None:
    memory = "notifications.channels.memory.MemoryChannel"
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "CHANNELS": {
            **settings.NOTIFICATIONS["CHANNELS"],
            "email": ChannelConf(
                providers=(
                    ProviderConf("ses", memory, rate_limit="50/s"),
                    ProviderConf("relay", memory),
                    ProviderConf("own", memory, rate_limit="none"),
                )
            ),
        },
    }

    rate_limits("set", "email.ses", "20/s", "--reason", "warming up")

    limits = {line.split()[0]: line.split()[1] for line in rate_limits().splitlines()}
    assert "email" not in limits
    assert {name: words for name, words in limits.items() if name.startswith("email.")} == {
        "email.ses": "20/s",
        "email.relay": "5/s",
        "email.own": "none",
    }
    assert listed("email.ses")["declared"] == 50.0
