"""A shop's own chores: registered once, looked at by `manage.py check`, done by the relay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications import chores
from notifications.checks.chores import check_chores
from notifications.chores import Chore
from notifications.housekeeping import OWN, Housekeeping
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = dict(chores._registry)
    yield
    chores._registry.clear()
    chores._registry.update(before)


def idle(*, using: str, go_on: Callable[[], bool]) -> int:
    return 0


def test_those_of_the_shop_are_found_in_its_apps() -> None:
    assert "rolling up the days' figures" in [chore.name for chore in chores.all_chores()]
    assert not list(check_chores())


def test_one_name_is_one_chore() -> None:
    chores.register(Chore("counting", 60, idle))
    assert chores.register(Chore("counting", 30, idle)) in chores.all_chores()
    with pytest.raises(ImproperlyConfigured, match=r"'counting' is registered twice: for tests\."):
        chores.register(Chore("counting", 60, lambda **_: 0))
    chores.unregister("counting")
    assert "counting" not in [chore.name for chore in chores.all_chores()]


def test_the_relay_does_them_beside_its_own() -> None:
    done: list[str] = []

    def count(*, using: str, go_on: Callable[[], bool]) -> int:
        done.append(using)
        return 1

    for chore in chores.all_chores():
        chores.unregister(chore.name)
    chores.register(Chore("counting", 60, count))
    housekeeping = Housekeeping("default")
    assert set(OWN) < set(housekeeping.chores)
    alone = Housekeeping("default", chores.all_chores())
    alone.start()
    try:
        wait_for(lambda: done == ["default"])
    finally:
        alone.close()


@pytest.mark.parametrize(
    ("chore", "said"),
    [
        (Chore("counting", 0, idle), "'counting' is due every 0 s: it would never rest"),
        (Chore("counting", float("nan"), idle), "is due every nan s"),
        (Chore("counting", "1m", idle), "is due every '1m', which is no number of seconds"),  # type: ignore[arg-type]
        (Chore(" ", 60, idle), "' ' has no name"),
        (Chore("counting", 60, lambda: 0), "cannot be run with using=… and go_on=…: got an"),
        (Chore("counting", 60, 7), "cannot be run with using=… and go_on=…: 7 is not a"),  # type: ignore[arg-type]
    ],
)
def test_what_the_relay_could_not_do_is_said_by_check(chore: Chore, said: str) -> None:
    chores.register(chore)
    (found,) = check_chores()
    assert found.id == "notifications.E021"
    assert said in str(found.msg)


def test_a_chore_with_defaults_of_its_own_is_one() -> None:
    chores.register(Chore("counting", 0.5, lambda using, go_on, most=7: most))
    assert not list(check_chores())
