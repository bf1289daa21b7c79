"""Announcements: what was sent to whole audiences, how far it is, and what holds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import announcement_progress, announcements, edits, rate_limits
from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, SENTENCE, as_json, exact, short
from notifications.admin.filters import StateFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.announcements import Refused
from notifications.models import Announcement, AnnouncementEntry, Lane


class AnnouncementStateFilter(StateFilter):
    states = Announcement.State


Verb = Callable[..., Announcement]


def _by(verb: Verb) -> Callable[[Announcement, str, str], str]:
    def do(announcement: Announcement, by: str, reason: str) -> str:
        try:
            verb(announcement.pk, by=by, reason=reason)
        except Refused as error:
            return error.message.rstrip(".")
        return ""

    return do


@admin.register(Announcement)
class AnnouncementAdmin(MovingAdmin[Announcement]):
    """The latest first. `manage.py announce` begins one."""

    list_display = ("number", "event_type", "audience", "state_badge", "taken", "why", "begun")
    list_display_links = ("number",)
    list_filter = (AnnouncementStateFilter,)
    ordering = ("-id",)
    search_help_text = _("Exactly an announcement's number, or an audience's name.")
    fieldsets = (
        (_("What"), {"fields": (("event_type", "audience"), "over", "facts")}),
        (_("Why"), {"fields": (("actor", "why"),)}),
        (_("State"), {"fields": (("state_badge", "so_far"), ("people", "repeated", "refused"))}),
        (_("Pace"), {"fields": (("pace", "batches"),)}),
        (_("When"), {"fields": (("created", "expanded", "finished"),)}),
    )
    moves = (
        Move(
            "pause",
            _("Pause"),
            "pause_announcement",
            _by(announcements.pause),
            lambda row: row.state in Announcement.RUNNING,
        ),
        Move(
            "resume",
            _("Resume"),
            "pause_announcement",
            _by(announcements.resume),
            lambda row: row.state == Announcement.State.PAUSED,
        ),
        Move(
            "cancel",
            _("Cancel"),
            "cancel_announcement",
            _by(announcements.cancel),
            lambda row: row.state in Announcement.OPEN,
        ),
    )

    state_badge = columns.state()
    why = columns.short("reason", _("reason"))
    begun = columns.ago("created_at", _("begun"))
    created = columns.moment("created_at", _("begun"))
    expanded = columns.moment("expanded_at", _("everybody was taken"))
    finished = columns.moment("finished_at", _("finished"))

    def matching(self, term: str) -> Q:
        found = Q(audience=term)
        if (number := search.number(term)) is not None:
            found |= Q(pk=number)
        return found

    def related(self, request: HttpRequest, row: Announcement) -> list[related.Section]:
        return [*_lanes(request, row), *_log(request, row)]

    @admin.display(description=_("announcement"))
    def number(self, row: Announcement) -> str:
        return str(row.pk)

    @admin.display(description=_("people taken"))
    def taken(self, row: Announcement) -> str:
        about = "" if row.expanded_at else "about "
        return f"{row.people:,} of {about}{announcement_progress.total(row):,}"

    @admin.display(description=_("so far"))
    def so_far(self, row: Announcement) -> str:
        return announcement_progress.in_words(announcement_progress.standing(row))

    @admin.display(description=_("rate over each channel"))
    def pace(self, row: Announcement) -> str:
        return rate_limits.in_words(row.rate)

    @admin.display(description=_("over"))
    def over(self, row: Announcement) -> str:
        return ", ".join(row.channels)

    @admin.display(description=_("facts"))
    def facts(self, row: Announcement) -> SafeString | str:
        return as_json(edits.masked(row.event_type, row.data)) if row.data else EMPTY


def _lanes(request: HttpRequest, row: Announcement) -> list[related.Section]:
    titles = (_("Channel"), _("People"), _("Settled"), _("What became of them"))
    words = {
        lane.channel: announcement_progress.lane_in_words(lane)
        for lane in announcement_progress.standing(row).lanes
    }

    def cells(lane: Lane) -> Sequence[object]:
        return lane.channel, lane.people, lane.settled, words.get(lane.channel, EMPTY)

    return related.section(request, _("Channels"), titles, row.lanes.order_by("id"), cells)


def _log(request: HttpRequest, row: Announcement) -> list[related.Section]:
    titles = (_("When"), _("What"), _("Who"))

    def cells(entry: AnnouncementEntry) -> Sequence[object]:
        return exact(entry.at), short(entry.text, most=SENTENCE), entry.by or EMPTY

    found = row.log.order_by("-id")
    return related.section(request, _("Log, the latest first"), titles, found, cells)
