"""Told words: what a delivery has said, what it would say now, and what is different.

They are what a customer reads, so they are for who may see personal data, and kept nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction
from django.template import TemplateSyntaxError
from django.utils.translation import gettext

from notifications import digests, edits, recipients, rendering, unsubscribe
from notifications.channels.base import Content
from notifications.envelope import Envelope
from notifications.exceptions import NotificationError
from notifications.models import Delivery, Event
from notifications.rendered import kept
from notifications.templating import editing, published

_TOKEN = re.compile(r"(/(?:unsubscribe|preferences)/)[\w.:=-]{20,}")

PARTS = ("subject", "text", "html", "template")


@dataclass(frozen=True)
class Words:
    """One message as its recipient gets it, part by part; `problem` says why there is none."""

    parts: Mapping[str, str]
    problem: str = ""

    @property
    def html(self) -> str:
        return self.parts.get("html", "")


def sent(delivery: Delivery) -> Words:
    """What was said last, as long as it is kept."""
    told = kept(delivery.pk)
    if told is None:
        return Words({}, gettext("what was said is kept no longer, or nothing was sent"))
    return _words(told[1])


def now(delivery: Delivery, data: Mapping[str, Any] | None = None) -> Words:
    """What its templates make of it today. data: of these facts; None: of its own.

    However the shop's hooks fail, that is the problem of this one.
    """
    event = Event.objects.filter(pk=delivery.event_id).first()
    if event is None:
        return Words({}, gettext("its event is kept no longer"))
    envelope = edits.told(event, delivery) if data is None else edits.with_data(event, data)
    try:
        with transaction.atomic(using=router.db_for_write(Delivery)):
            return _rendered(envelope, delivery)
    except NotificationError as error:
        return Words({}, error.message)
    except TemplateSyntaxError as error:
        return Words({}, str(error))
    except Exception as error:  # noqa: BLE001 - a page about what went wrong must not go wrong too
        return Words(
            {}, gettext("the shop could not be asked: %(name)s") % {"name": type(error).__name__}
        )


def difference(before: Words, after: Words) -> dict[str, list[str]]:
    """By part, what is different: lines that begin with a blank, "+" or "-"; "@" parts them. Not
    the reader's own links to say no, which are signed anew each time."""
    return editing.difference(_without_tokens(before), _without_tokens(after))


def _without_tokens(words: Words) -> dict[str, str]:
    return {part: _TOKEN.sub(r"\1…", text) for part, text in words.parts.items()}


def _rendered(envelope: Envelope, delivery: Delivery) -> Words:
    if digests.is_digest(envelope):
        return Words({}, gettext("a digest is put together when it is sent"))
    recipient = recipients.named(
        envelope,
        channel=delivery.channel,
        route=delivery.route,
        reference=delivery.recipient,
    )
    if recipient is None:
        return Words({}, gettext("the shop does not name this recipient any more"))
    if not rendering.parts_of(delivery.channel):
        return _words(rendering.verbatim(envelope))
    way_out = unsubscribe.offer(
        envelope.event_type, recipient, channel=delivery.channel, delivery=delivery.pk
    )
    content = rendering.render(
        envelope,
        channel=delivery.channel,
        recipient=recipient,
        context={**way_out.words, **recipients.context(envelope, recipient)},
        edited=published.look(),
    )
    return _words(content)


def _words(content: Content) -> Words:
    template = json.dumps(content.template, indent=2, ensure_ascii=False)
    given = {**vars(content), "template": template if content.template else ""}
    return Words({part: given[part] for part in PARTS if given[part]})
