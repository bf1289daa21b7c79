"""News of a club by email and SMS: an event that is not transactional, for a test at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from notifications import events
from notifications.conf import Category, Route
from notifications.envelope import Envelope
from notifications.events import EventData, event
from notifications.identifiers import uuid7

NEWS = "club.news"
TEMPLATES = {
    "email.subject.txt": "Issue {{ data.number }}",
    "email.txt": "The club writes. Unsubscribe: {{ unsubscribe_url }} all: {{ preferences_url }}",
    "sms.txt": "Issue {{ data.number }} is out.{% if unsubscribe_url %} Stop it: "
    "{{ unsubscribe_url }}{% endif %}",
}


@contextmanager
def declared(settings: Any, directory: Path, **category: Any) -> Iterator[None]:
    """The event, its category "news", its routes and its templates, which are in `directory`.

    Beside what the settings hold. category: words of its Category besides the title.
    """
    before = dict(events._registry), dict(events._by_model)
    conf = settings.NOTIFICATIONS
    settings.NOTIFICATIONS = {
        **conf,
        "CATEGORIES": {"news": Category("News and offers", **category)},
        "ROUTES": {**conf["ROUTES"], NEWS: [Route("email"), Route("sms")]},
        "PUBLIC_URL": conf.get("PUBLIC_URL") or "https://shop.example",
    }
    _write_templates(directory)

    @event(NEWS, subject="issue/{number}", topic="club", category="news")
    class ClubNews(EventData):
        number: int

    try:
        yield
    finally:
        for registry, kept in zip((events._registry, events._by_model), before, strict=True):
            registry.clear()  # type: ignore[attr-defined]
            registry.update(kept)  # type: ignore[attr-defined]


def issue(number: int = 1) -> Envelope:
    """One of the club's news."""
    return Envelope(
        id=uuid7(),
        type=NEWS,
        version=1,
        source="urn:test",
        subject=f"issue/{number}",
        time=datetime.now(UTC),
        data={"number": number},
    )


def _write_templates(directory: Path) -> None:
    folder = directory / "notifications" / NEWS
    folder.mkdir(parents=True)
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)
