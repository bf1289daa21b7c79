"""Samples: real events, with whom they would be told to and what the shop says about them.

What a template may use is learnt from these, and it is looked at with these. A sample shows what a
customer would read, so it is for those who may change templates, and is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from notifications import recipients, unsubscribe
from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.exceptions import NotificationError
from notifications.models import Event
from notifications.recipients import Recipient
from notifications.templating.places import Place

LOOKED_AT = 5
"""Real events that a template is checked and rendered with before it is published."""

CONSIDERED = 50
"""The latest events of a type among which these are found: of some the shop knows no more."""

OFFERED = 20
"""Events that a preview may be chosen from."""


NOBODY = "preview"
"""The person whose links to preferences a sample holds."""


@dataclass(frozen=True)
class Sample:
    """One event and one of its recipients, as though they spoke the place's language."""

    envelope: Envelope
    recipient: Recipient
    context: Mapping[str, Any]

    def __str__(self) -> str:
        return self.envelope.subject


def latest(event_type: str, most: int = OFFERED) -> list[Event]:
    """The latest events of a type, the newest first."""
    return list(Event.objects.filter(type=event_type).order_by("-recorded_at")[:most])


def sample(event: Event, place: Place) -> Sample | None:
    """None: the shop names nobody for it, or knows nothing of it any more."""
    envelope = event.envelope()
    try:
        recipient = _first_recipient(envelope, place.channel)
        if recipient is None:
            return None
        recipient = replace(recipient, locale=place.locale)
        words = _way_out(envelope, recipient, place.channel)
        context = {**words, **recipients.context(envelope, recipient)}
        return Sample(envelope, recipient, context)
    except NotificationError:
        return None


def samples(place: Place, most: int = LOOKED_AT) -> list[Sample]:
    """The latest that the shop knows enough of."""
    found = (sample(event, place) for event in latest(place.event_type, CONSIDERED))
    return list(islice((each for each in found if each is not None), most))


def _way_out(envelope: Envelope, recipient: Recipient, channel: str) -> Mapping[str, Any]:
    """The links to stop more like it, for nobody: who clicks in a preview, or has been sent a
    test, must not change what a customer gets."""
    nobody = replace(recipient, reference=NOBODY, person="")
    return unsubscribe.offer(envelope.event_type, nobody, channel=channel, delivery=NOBODY).words


def _first_recipient(envelope: Envelope, channel: str) -> Recipient | None:
    def everybody() -> Iterator[Recipient]:
        for route in conf().routes.get(envelope.type, ()):
            if route.channel == channel:
                yield from recipients.resolve(envelope, route)

    return next(everybody(), None)
