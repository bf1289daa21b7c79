"""What anybody may state in one of the shop's events has its bounds: a row can hold all of it."""

from __future__ import annotations

from typing import Any

import pytest

import orders_site.events
from notifications import events
from notifications.events import EventType
from notifications.exceptions import EventRefused

HOSTILE: tuple[Any, ...] = (2**63, 10**4000, -(2**63) - 1, "x" * 10_000, ["x" * 10_000], 1e308)
OURS = [
    kind for kind in events.all_event_types() if kind.data.__module__ == orders_site.events.__name__
]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.name)
def test_no_field_takes_a_number_or_a_text_of_any_size(kind: EventType) -> None:
    for name in kind.data.model_fields:
        for value in HOSTILE:
            with pytest.raises(EventRefused, match=name):
                kind.parse({name: value})
