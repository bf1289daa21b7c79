"""What a process last saw: read at most once a second, and never guessed."""

from __future__ import annotations

from django.db import OperationalError

from notifications.glance import Glance


class Table:
    """Something to be read that can be away."""

    def __init__(self) -> None:
        self.reads, self.holds, self.away = 0, "one", False

    def read(self) -> str | None:
        self.reads += 1
        if self.away:
            raise OperationalError("away")
        return self.holds


def glance(table: Table) -> Glance[str | None]:
    return Glance(table.read, nothing=None, name="table")


def test_many_looks_are_one_read_until_it_is_said_that_something_changed() -> None:
    table = Table()
    looks = glance(table)

    assert [looks.look() for _ in range(100)] == ["one"] * 100
    assert table.reads < 100
    table.holds = "two"
    looks.age()

    assert looks.look() == "two"


def test_while_it_is_away_the_last_stands_and_before_the_first_there_is_nothing() -> None:
    table = Table()
    table.away = True
    looks = glance(table)
    assert looks.look() is None

    table.away = False
    looks.age()
    assert looks.look() == "one"

    table.away = True
    looks.age()
    assert looks.look() == "one"
