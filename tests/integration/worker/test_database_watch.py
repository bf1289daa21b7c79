"""Who looks after a database that is away does not stop looking before it is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from notifications.worker.database import DatabaseWatch
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> list[str]:
    """What the worker was told, in order."""
    return []


@pytest.fixture
def watch(told: list[str]) -> Iterator[DatabaseWatch]:
    watch = DatabaseWatch(lambda: told.append("lost"), lambda: told.append("back"))
    yield watch
    watch.close()


def test_a_database_that_answers_is_back_at_once_and_can_be_missed_again(
    watch: DatabaseWatch, told: list[str]
) -> None:
    for times in (1, 2):
        watch.look()
        wait_for(lambda times=times: told == ["lost", "back"] * times)


def test_what_is_missed_as_it_comes_back_does_not_stop_what_goes_on_then() -> None:
    """Else the worker was told to go on while it looked anew: it received without a database."""
    told: list[str] = []
    missed = iter([True])

    def back() -> None:
        if next(missed, False):
            watch.look()
        told.append("back")

    watch = DatabaseWatch(lambda: told.append("lost"), back)
    watch.look()
    wait_for(lambda: "back" in told)
    watch.close()
    assert told == ["lost", "back"]


def test_whatever_a_look_ends_with_the_next_one_may_find_the_database(
    watch: DatabaseWatch,
    told: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No error of PostgreSQL's: the settings name no database for a while."""
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "NAME", "")
        watch.look()
        wait_for(lambda: "until it is back: ImproperlyConfigured" in caplog.text)
        watch.look()
        assert told == ["lost"]
    wait_for(lambda: told == ["lost", "back"])
    assert caplog.text.count("The database is away") == 1
