"""Previews: how a text looks with a real event, in every channel and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.template import TemplateSyntaxError
from django.template.base import Template
from django.utils.translation import gettext_lazy as _

from notifications import rendering
from notifications.channels.base import Content
from notifications.channels.sms_parts import Segments, segments
from notifications.exceptions import NotificationError
from notifications.models import Event
from notifications.templating import published, sandbox
from notifications.templating.expressions import Fault
from notifications.templating.places import Place, Standing, standings
from notifications.templating.samples import sample

SMS = "sms"
NOBODY = _("the shop names nobody who would be told of it, or knows nothing of it any more")


@dataclass(frozen=True)
class Preview:
    """One text as somebody would get it; `problem` in its place when nobody would.

    segments: of an SMS, what it costs.
    """

    place: Place
    content: Content | None = None
    problem: str = ""
    segments: Segments | None = None


class Unpublished:
    """Texts that are no version yet, in the place of one."""

    label = "draft"

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def part(self, field: str) -> Template | None:
        text = self._texts.get(field, "")
        return sandbox.compiled(field, text) if text.strip() else None


def preview(place: Place, event: Event, texts: Mapping[str, str] | None = None) -> Preview:
    """How it looks at `place`: with `texts`, or with what is in use there."""
    told = sample(event, place)
    if told is None:
        return Preview(place, problem=str(NOBODY))
    in_force: dict[tuple[str, str, str], rendering.Edited] = dict(published.look())
    if texts is not None:
        in_force[place.event_type, place.channel, place.locale] = Unpublished(texts)
    try:
        content = rendering.render(
            told.envelope,
            channel=place.channel,
            recipient=told.recipient,
            context=told.context,
            edited=in_force,
        )
    except Fault as fault:
        return Preview(place, problem=str(fault))
    except NotificationError as error:
        return Preview(place, problem=error.message)
    except TemplateSyntaxError as error:
        return Preview(place, problem=str(error))
    cost = segments(content.text) if place.channel == SMS else None
    return Preview(place, content=content, segments=cost)


def everywhere(event: Event, *, drafts: bool = True) -> list[tuple[Standing, Preview]]:
    """The event in every channel and language that has a text for it; drafts in place of what is
    in use, where there are some."""
    return [
        (each, preview(each.place, event, each.draft.parts if drafts and each.draft else None))
        for each in standings()
        if each.place.event_type == event.type
    ]
