"""What the pages of templates show, gathered from `notifications.templating`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import ago, badge, exact
from notifications.models import Event, TemplateVersion
from notifications.rendering import Part
from notifications.templating import editing, places, plain, previews, samples
from notifications.templating.examination import examine
from notifications.templating.expressions import Fault
from notifications.templating.places import Place, Standing
from notifications.templating.previews import Preview
from notifications.templating.shapes import Shape, union

LABELS: Mapping[str, Promise] = {
    "subject": _("Subject"),
    "text": _("Text"),
    "html": _("HTML"),
}
ROWS = {"subject": 2, "text": 12, "html": 20}
SHORT_ROWS = 6
"""Of a channel whose text is a few lines."""

DEEPEST_NAME = 3
"""Names in one another that the list of variables goes into."""


def place_url(place: Place) -> str:
    return reverse(
        "admin:notifications_template_edit",
        args=[place.event_type, place.channel, place.language],
    )


def frame_url(place: Place, event: Event, ticket: str, kept: str = "") -> str:
    """Where the HTML of a preview is by itself. ticket: says that the event has been revealed.
    kept: where the session has texts that nobody saved."""
    url = reverse(
        "admin:notifications_template_frame",
        args=[place.event_type, place.channel, place.language],
    )
    return f"{url}?{urlencode({'event': str(event.pk), 'ticket': ticket, 'kept': kept})}"


def frame(place: Place, event: Event, texts: Mapping[str, str] | None) -> str | None:
    """The HTML that `frame_url` leads to, of the draft where there is one."""
    draft = places.standing(place).draft
    shown = previews.preview(place, event, texts or (draft.parts if draft else None))
    return shown.content.html if shown.content else None


def overview() -> dict[str, Any]:
    """Everything that is told, by event type."""
    rows = [_Row(each) for each in places.standings()]
    return {
        "groups": [
            (event_type, list(group))
            for event_type, group in groupby(rows, key=lambda row: row.place.event_type)
        ],
        "routes": places.routed(),
    }


@dataclass(frozen=True)
class _Row:
    standing: Standing

    @property
    def place(self) -> Place:
        return self.standing.place

    @property
    def url(self) -> str:
        return place_url(self.place)

    @property
    def draft(self) -> SafeString | str:
        return badge("draft") if self.standing.draft else ""

    @property
    def since(self) -> SafeString | str:
        version = self.standing.published
        return ago(version.published_at) if version else ""


def latest_or(event_type: str, event_id: str) -> Event | None:
    """None: there is no such event. Without an id the latest of the type is taken."""
    if event_id:
        return event_of(event_type, event_id)
    return next(iter(samples.latest(event_type)), None)


def everywhere(event: Event, *, ticket: str) -> dict[str, Any]:
    """One event in every channel and language. ticket: see `frame_url`."""
    shown = previews.everywhere(event)
    return {
        "event": event,
        "choices": choices(samples.latest(event.type), event),
        "shown": [
            (_Row(standing), Shown(preview, frame_url(preview.place, event, ticket)))
            for standing, preview in shown
        ],
    }


def version(place: Place, shown: TemplateVersion) -> dict[str, Any]:
    return {
        "place": place,
        "place_url": place_url(place),
        "version": shown,
        "state": badge(shown.state),
        "parts": [
            {"label": LABELS.get(part.field, part.field), "text": shown.parts.get(part.field, "")}
            for part in place.parts
        ],
        "changes": changes(places.texts_in_use(place), shown.parts),
        "created": exact(shown.created_at),
        "published": exact(shown.published_at),
        "retired": exact(shown.retired_at),
    }


class EditPage:
    """One place's page: what is in use, the form, and what was asked to be seen."""

    def __init__(self, place: Place, posted: Any = None) -> None:
        self.place = place
        self.url = place_url(place)
        self.standing = places.standing(place)
        self.faults: list[Fault] = []
        self.preview: Shown | None = None
        draft = self.standing.draft
        if posted is None:
            self.texts = dict(draft.parts) if draft else places.texts_in_use(place)
            self.revision = draft.revision if draft else None
            self.event_id = ""
        else:
            self.texts = {part.field: posted.get(part.field, "") for part in place.parts}
            given = posted.get("revision", "")
            self.revision = int(given) if given.isdecimal() and len(given) < 9 else None
            self.event_id = posted.get("event", "")

    @property
    def differs_from_draft(self) -> bool:
        draft = self.standing.draft
        return draft is None or draft.parts != {
            field: text.replace("\r\n", "\n") for field, text in self.texts.items()
        }

    def check(self) -> None:
        self.faults = examine(self.place, self.texts)

    def look(self, *, ticket: str, kept: str = "") -> None:
        """ticket, kept: see `frame_url`; nothing is kept of a draft's texts or those in use."""
        if self.event is not None:
            shown = previews.preview(self.place, self.event, self.texts)
            self.preview = Shown(shown, frame_url(self.place, self.event, ticket, kept))

    @cached_property
    def events(self) -> list[Event]:
        return samples.latest(self.place.event_type)

    @cached_property
    def event(self) -> Event | None:
        """The one that was chosen, else the latest that the shop still knows enough of."""
        if self.event_id:
            return event_of(self.place.event_type, self.event_id)
        for each in self.events:
            if samples.sample(each, self.place) is not None:
                return each
        return None

    @property
    def choices(self) -> list[dict[str, Any]]:
        return choices(self.events, self.event)

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [
            {
                "field": part.field,
                "label": LABELS.get(part.field, part.field),
                "optional": part.optional,
                "text": self.texts.get(part.field, ""),
                "rows": self._rows(part),
                "faults": [
                    _told(each, part) for each in self.faults if each.template == part.field
                ],
            }
            for part in self.place.parts
        ]

    def _rows(self, part: Part) -> int:
        long = any(each.is_html for each in self.place.parts)
        return ROWS.get(part.field, SHORT_ROWS) if long or part.field == "subject" else SHORT_ROWS

    @property
    def other_faults(self) -> list[str]:
        """Of no part: of an included file, or of the whole."""
        fields = {part.field for part in self.place.parts}
        return [str(each) for each in self.faults if each.template not in fields]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return changes(places.texts_in_use(self.place), self.texts)

    @property
    def names(self) -> list[str]:
        """The variables there are, as the latest events know them."""
        found = samples.samples(self.place)
        shape = union(plain.context_of(e.envelope, e.recipient, e.context) for e in found)
        return sorted(_names(shape))

    @property
    def versions(self) -> list[dict[str, Any]]:
        template = places.template_of(self.place)
        rows = template.versions.order_by("-number") if template else ()
        return [
            {
                "version": each,
                "state": badge(each.state),
                "when": ago(each.published_at or each.changed_at),
                "url": reverse(
                    "admin:notifications_template_version",
                    args=[
                        self.place.event_type,
                        self.place.channel,
                        self.place.language,
                        each.number,
                    ],
                ),
            }
            for each in rows
        ]


@dataclass(frozen=True)
class Shown:
    """A preview, made fit for a page."""

    preview: Preview
    frame_url: str


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, Any]]:
    """Part by part, each line with its kind: "added", "removed", "place" or "same"."""
    tidy = {field: text.replace("\r\n", "\n") for field, text in after.items()}
    return [
        {
            "label": LABELS.get(field, field),
            "lines": kinds(lines),
        }
        for field, lines in editing.difference(before, tidy).items()
    ]


def kinds(lines: list[str]) -> list[tuple[str, str]]:
    """Each line of a difference with its kind."""
    return [(_KINDS.get(line[:1], "same"), line) for line in lines]


_KINDS = {"+": "added", "-": "removed", "@": "place"}


def choices(events: list[Event], chosen: Event | None) -> list[dict[str, Any]]:
    """Events to look at it with; the chosen one is among them."""
    offered = [chosen, *events] if chosen and chosen not in events else events
    return [
        {
            "id": str(each.pk),
            "label": f"{each.subject}, {timezone.localtime(each.time):%Y-%m-%d %H:%M}",
            "chosen": each == chosen,
        }
        for each in offered
    ]


def event_of(event_type: str, event_id: str) -> Event | None:
    try:
        return Event.objects.filter(type=event_type, pk=UUID(event_id)).first()
    except (ValueError, ValidationError):
        return None


def _told(fault: Fault, part: Part) -> str:
    return f"{_('line')} {fault.line}: {fault.message}" if fault.line else fault.message


def _names(shape: Shape, prefix: str = "", depth: int = 1) -> list[str]:
    found = []
    for name, each in shape.names.items():
        path = f"{prefix}{name}"
        if each.opaque:
            continue
        if each.is_list:
            found.append(f"{path} (a list)")
            found += _names(each.entry or Shape(), f"{path}.0.", depth + 1)
        elif each.names and depth < DEEPEST_NAME:
            found += _names(each, f"{path}.", depth + 1)
        else:
            found.append(path)
    return found
