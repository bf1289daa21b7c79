"""The facts on a delivery's page, in rows: of most there is little to say, and that is short."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from notifications.admin import reasons
from notifications.models import Delivery

_FACTS: tuple[tuple[str, ...], ...] = (
    ("state_badge", "attempts", "next_try"),
    ("reason_told",),
    ("whole_error",),
    ("insisted",),
    ("recipient", "shown_address", "locale"),
    ("order", "event_link", "route"),
    ("provider", "provider_message_id", "group", "lag"),
    ("template", "generation", "original"),
)
_HELD_BY: Mapping[str, Callable[[Delivery], object]] = {
    "next_try": lambda row: row.state in Delivery.OPEN and row.next_try_at,
    "reason_told": lambda row: row.reason or reasons.sentence(row),
    "whole_error": lambda row: row.last_error,
    "insisted": lambda row: row.override,
    "locale": lambda row: row.locale,
    "provider": lambda row: row.provider,
    "provider_message_id": lambda row: row.provider_message_id,
    "group": lambda row: row.fingerprint,
    "lag": lambda row: row.sent_at,
    "template": lambda row: row.template_version,
    "generation": lambda row: row.generation,
    "original": lambda row: row.original is not None,
}
"""What most deliveries have not, and is left out where there is none."""


def _present(row: Delivery | None, names: tuple[str, ...]) -> tuple[str, ...]:
    if row is None:
        return names
    return tuple(name for name in names if name not in _HELD_BY or _HELD_BY[name](row))


def of(row: Delivery | None) -> list[str | tuple[str, ...]]:
    """What is there to be told of this one, as a fieldset takes it."""
    wanted = (_present(row, names) for names in _FACTS)
    return [names if len(names) > 1 else names[0] for names in wanted if names]
