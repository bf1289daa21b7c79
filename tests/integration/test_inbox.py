"""What a service consumer does for an event commits with the row that says so."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from notifications import inbox
from notifications.models import Handled
from tests.integration.letters import letter
from tests.integration.together import at_once

pytestmark = pytest.mark.django_db


def test_an_event_is_done_once_however_often_it_comes() -> None:
    event = letter()

    with inbox.once("payments", event) as first:
        pass
    with inbox.once("payments", event) as again:
        pass
    with inbox.once("inventory", event) as elsewhere:
        pass

    assert (first, again, elsewhere) == (True, False, True)


def test_what_fails_leaves_neither_its_effect_nor_its_row() -> None:
    event = letter()

    def fail() -> None:
        with inbox.once("payments", event):
            Group.objects.create(name="an effect")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()

    assert not Group.objects.filter(name="an effect").exists()
    assert not Handled.objects.exists()
    with inbox.once("payments", event) as to_do:
        assert to_do


def test_a_failure_before_does_not_count_as_done() -> None:
    event = letter()
    Handled.objects.count_attempt("payments", event, OSError())

    with inbox.once("payments", event) as to_do:
        assert to_do

    assert Handled.objects.get().outcome == Handled.Outcome.DONE


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_does_it() -> None:
    event = letter()

    def handle() -> bool:
        with inbox.once("payments", event) as to_do:
            return to_do

    assert at_once(handle, 8).count(True) == 1
