"""Every listing answers with or without its verb, and in JSON."""

from __future__ import annotations

import json
from io import StringIO
from typing import NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["queues"], "queues"),
        (["rate_limits"], "accounts"),
        (["deliveries"], "deliveries"),
        (["dead_letters"], "dead_letters"),
        (["queues", "list"], "queues"),
        (["rate_limits", "list"], "accounts"),
        (["deliveries", "list"], "deliveries"),
        (["dead_letters", "list"], "dead_letters"),
        (["dead_letters", "group"], "groups"),
        (["purge", "--dry-run"], "due"),
        (["workers"], "workers"),
        (["suppressions"], "suppressions"),
        (["suppressions", "list"], "suppressions"),
        (["preferences", "customer/1"], "preferences"),
        (["jobs"], "jobs"),
        (["jobs", "list"], "jobs"),
        (["templates"], "templates"),
        (["templates", "list"], "templates"),
    ],
    ids=" ".join,
)
def test_a_listing_prints_one_json_object(arguments: list[str], holds: str) -> None:
    output = StringIO()
    call_command(*arguments, "--json", stdout=output)
    assert holds in json.loads(output.getvalue())


def test_json_may_stand_before_the_verb() -> None:
    output = StringIO()
    call_command("queues", "--json", "list", stdout=output)
    assert "queues" in json.loads(output.getvalue())


@pytest.mark.parametrize(
    "arguments",
    [
        *(["reputation"], ["reseal"], ["reseal", "--dry-run"], ["export", "delivery"]),
        *(["forget", "customer/1", "--reason", "r"], ["deliveries"], ["purge", "--dry-run"]),
    ],
    ids=" ".join,
)
def test_a_database_that_is_away_is_said_in_a_sentence(arguments: list[str]) -> None:
    def away(*_: object) -> NoReturn:
        raise OperationalError("the connection is lost\nand more about it")

    said = r"^The database refuses: the connection is lost$"
    with connection.execute_wrapper(away), pytest.raises(CommandError, match=said):
        call_command(*arguments, stdout=StringIO())
