"""One delivery as a terminal shows it: its timeline, and its words for who asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from notifications import edits, told_words
from notifications.bodies import printable
from notifications.delivery_timeline import timeline
from notifications.management.verbs import local_moment
from notifications.models import Delivery
from notifications.timeline_entries import Kind

_KIND = max(len(kind) for kind in Kind)


def lines(delivery: Delivery, *, words: bool) -> Iterator[str]:
    """Without line ends."""
    for entry in timeline(delivery):
        said = f"{entry.what}: {entry.detail}" if entry.detail else entry.what
        yield f"  {local_moment(entry.at)}  {entry.kind:<{_KIND}}  {printable(said)}"
    if edited := edits.of(delivery):
        yield f"  put right for it alone: {', '.join(edited)}"
    if words:
        yield from _words(delivery)


def as_json(delivery: Delivery, row: Mapping[str, Any], *, words: bool) -> str:
    told = {
        "edited": sorted(edits.of(delivery)),
        "timeline": [_entry(each) for each in timeline(delivery)],
    }
    if words:
        before, after = told_words.sent(delivery), told_words.now(delivery)
        told["sent"], told["now"] = vars(before), vars(after)
    return json.dumps({**row, **told}, cls=DjangoJSONEncoder)


def _entry(entry: Any) -> dict[str, Any]:
    names = ("at", "kind", "what", "detail", "ids")
    return {name: getattr(entry, name) for name in names}


def _words(delivery: Delivery) -> Iterator[str]:
    before, after = told_words.sent(delivery), told_words.now(delivery)
    for title, told in (("what was sent", before), ("what would be sent now", after)):
        yield ""
        yield f"{title}{f': {told.problem}' if told.problem else ''}"
        for name, text in told.parts.items():
            if name != "html" and told is before:
                yield from (f"  {name:<8}  {printable(line)}" for line in text.splitlines())
    if before.problem or after.problem:
        return
    difference = told_words.difference(before, after)
    if not difference:
        yield "  nothing is different"
    for name, changed in difference.items():
        yield from (f"  {name:<8}  {printable(line)}" for line in changed)
