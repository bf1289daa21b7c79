"""A wrong declaration is refused where it stands, not in production where an event is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications import consumers, events
from notifications.consumers import Consumer
from notifications.events import EventData, event
from notifications.exceptions import UnknownEvent


class ShowMoved(EventData):
    show_id: int


class Undeclared(EventData):
    show_id: int


class NoEvent:
    show_id = 7


def declare(model: Any = ShowMoved, **changed: Any) -> None:
    try:
        event("show.moved", **{"subject": "show/{show_id}", **changed})(model)
    finally:
        events.unregister("show.moved")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"subject": "show/{show}"}, "names 'show'; ShowMoved has: show_id"),
        ({"subject": "show/{show_id"}, "subject 'show/{show_id' cannot be read"),
        ({"subject": "show/{}"}, "names ''; ShowMoved has: show_id"),
        ({"version": "2"}, "version is '2', and must be a whole number from 1 on"),
        ({"version": 0}, "version is 0, and must be a whole number from 1 on"),
        ({"worth_sending_for": 3600}, "worth_sending_for is 3600, and must be a timedelta"),
        ({"model": NoEvent}, r"its class must be an EventData: class NoEvent\(EventData\)"),
    ],
)
def test_an_event_that_could_not_be_recorded_or_told_is_refused(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"'show.moved'.*{said}"):
        declare(**changed)


@pytest.mark.parametrize("subject", ["show/{show_id}", "show/{show_id:05d}", "show"])
def test_a_subject_of_the_event_s_own_facts_is_taken(subject: str) -> None:
    declare(subject=subject, version=2, worth_sending_for=timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"show_id": 7}, "a dict is no event"),
        (ShowMoved, "ShowMoved is no event: give an instance"),
        (Undeclared(show_id=7), "Undeclared is not a registered event"),
    ],
)
def test_what_is_no_event_is_named_as_what_it_is(given: Any, said: str) -> None:
    with pytest.raises(UnknownEvent, match=said):
        events.type_of(given)


@pytest.mark.parametrize("wants", ["order.shipped", ["order.shipped"]])
def test_a_consumer_wants_a_set(wants: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"'loyalty': wants is .* give a set"):
        consumers.register(Consumer("loyalty", task="loyalty.add", wants=wants))
    assert "loyalty" not in {each.name for each in consumers.all_consumers()}
