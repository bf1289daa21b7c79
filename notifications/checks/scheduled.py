"""What is scheduled: whether it could be recorded when it is due, by the types registered here."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import router, transaction
from django.db.models import Count

from notifications import events
from notifications.models import ScheduledEvent


def check_scheduled() -> Iterator[CheckMessage]:
    """Each type and version that waits. Of a database that is not migrated yet, nothing."""
    alias = router.db_for_write(ScheduledEvent)
    kinds = ("event_type", "version")
    waiting = ScheduledEvent.objects.using(alias).filter(state=ScheduledEvent.State.WAITING)
    try:
        with transaction.atomic(using=alias):
            counted = list(waiting.order_by(*kinds).values_list(*kinds).annotate(Count("pk")))
    except (ImproperlyConfigured, DatabaseError):
        return
    known = {(kind.name, kind.version) for kind in events.all_event_types()}
    for event_type, version, count in counted:
        if (event_type, version) not in known:
            yield Warning(
                f"{event_type} version {version} is scheduled ({count}) and is not registered: "
                "it could not be recorded when it is due.",
                hint="Keep its class until it is recorded, or call it off: `manage.py scheduled "
                f'call-off --event-type {event_type} --reason "…"`.',
                id="notifications.W097",
            )
