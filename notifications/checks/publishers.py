"""System checks of who is believed: that what others publish is named, and named rightly."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning

from notifications.checks.routes import unregistered
from notifications.conf import conf
from notifications.events import all_event_types


def check_foreign_events() -> Iterator[CheckMessage]:
    registered = {kind.name for kind in all_event_types()}
    for event_type in sorted(set(conf().foreign_events or ()) - registered):
        yield unregistered(event_type, 'NOTIFICATIONS["FOREIGN_EVENTS"]', registered)
    kept, on_its_way = conf().retention.dispatches, conf().queue_retention_days
    if conf().foreign_events is not None and kept < on_its_way:
        yield Error(
            f"Dispatches, and events with them, may be deleted after {kept} days, while SQS keeps "
            f"their messages for {on_its_way}: what comes then would be taken for forged.",
            hint=f'Give NOTIFICATIONS["RETENTION"] dispatches={on_its_way} or more.',
            id="notifications.E093",
        )


def check_anybody_is_believed() -> Iterator[CheckMessage]:
    """Before a deployment (`manage.py check --deploy`)."""
    if conf().foreign_events is None:
        yield Warning(
            "Whoever may publish to a topic, or send to a queue, is believed, whatever they say: "
            "a forged order.cancelled gives money back.",
            hint='List in NOTIFICATIONS["FOREIGN_EVENTS"] the event types that others publish; [] '
            "where nobody else does.",
            id="notifications.W094",
        )
