"""The pages of control, in the order in which the console names them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications.console import (
    announcements,
    event_types,
    limits,
    probing,
    providers,
    queues,
    switching,
)
from notifications.console.pages import Page, register

register(Page("queues", "queues/", _("Queues"), "notifications.view_pause", queues.queues))
register(
    Page(
        "event_types",
        "event-types/",
        _("Event types and templates"),
        "notifications.view_pause",
        event_types.event_types,
    )
)
register(
    Page(
        "providers",
        "providers/",
        _("Providers"),
        "notifications.view_ratelimit",
        providers.providers,
    )
)
register(
    Page(
        "announcements",
        "announcements/",
        _("Announcements"),
        "notifications.view_announcement",
        announcements.announcing,
    )
)

# Where their buttons lead to.
register(
    Page(
        "switch",
        "switch/",
        _("Pause or resume"),
        "notifications.pause_sending",
        switching.switch,
        listed=False,
    )
)
register(
    Page(
        "rate",
        "rate/",
        _("Change a rate"),
        "notifications.change_ratelimit",
        limits.limits,
        listed=False,
    )
)
register(
    Page(
        "probe",
        "probe/",
        _("Try an account now"),
        "notifications.pause_sending",
        probing.probe,
        listed=False,
    )
)
register(
    Page(
        "announcement",
        "announcement/",
        _("Hold, pace or end an announcement"),
        "notifications.view_announcement",
        announcements.move,
        listed=False,
    )
)
