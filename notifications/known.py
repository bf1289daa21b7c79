"""Known: a slip in a name that an operator gives is told from one that nothing has just now.

What is registered is known. So is what rows have: their code may have been taken away since, or be
somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Model

from notifications import pauses
from notifications.models import DeadLetter, Delivery, Event, Pause, ScheduledEvent, Suppression

Kind = Pause.Kind

_KEPT: Mapping[Kind, tuple[tuple[type[Model], str], ...]] = {
    Kind.EVENT_TYPE: (
        (Event, "type"),
        (DeadLetter, "event_type"),
        (Delivery, "event_type"),
        (ScheduledEvent, "event_type"),
    ),
    Kind.CHANNEL: ((Delivery, "channel"), (Suppression, "channel")),
    Kind.QUEUE: ((DeadLetter, "queue"),),
}


def is_known(kind: Kind, name: str) -> bool:
    return name in pauses.names(kind) or any(
        model._default_manager.filter(**{column: name}).exists() for model, column in _KEPT[kind]
    )


def insist(kind: Kind, names: Iterable[str | None]) -> None:
    """Raises ImproperlyConfigured for one that is not, listing those that are registered. No name
    is none."""
    for name in filter(None, names):
        if not is_known(kind, name):
            pauses.check(kind, name)
