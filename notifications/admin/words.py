"""What people were told, or would be, made fit for a page that has been revealed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from notifications import told_words
from notifications.admin import reveal
from notifications.admin.template_pages import LABELS, kinds
from notifications.models import Delivery, RenderedContent
from notifications.told_words import Words

SENT, NOW = "sent", "now"
"""Whose HTML a frame shows: what was sent, or what would be sent now."""


def said(request: HttpRequest, row: Delivery) -> dict[str, Any] | None:
    """What was sent, on a delivery's own page, once that is revealed."""
    return shown(request, row, SENT, told_words.sent(row)) if reveal.is_revealed(row) else None


def is_kept(row: Delivery) -> bool:
    return RenderedContent.objects.filter(delivery_id=row.pk).exists()


def url_of(page: str, row: Delivery, *arguments: str) -> str:
    return reverse(f"admin:notifications_delivery_{page}", args=[row.pk, *arguments])


def shown(request: HttpRequest, row: Delivery, whose: str, words: Words) -> dict[str, Any]:
    """One message, as `words.html` takes it. The page has been revealed."""
    parts = [
        {"label": LABELS.get(name, name), "name": name, "text": text}
        for name, text in words.parts.items()
        if name not in ("html", "subject")
    ]
    frame = f"{url_of('html', row, whose)}?ticket={reveal.ticket(request, row)}"
    return {
        "title": _("What was sent") if whose == SENT else _("What would be sent now"),
        "problem": words.problem,
        "subject": words.parts.get("subject", ""),
        "frame": frame if words.html else "",
        "parts": parts,
    }


def difference(before: Words | None, after: Words | None) -> list[dict[str, Any]]:
    """Part by part, as `changes.html` takes it; nothing, where one of them is not to be had."""
    if before is None or after is None or before.problem or after.problem:
        return []
    return [
        {"label": LABELS.get(name, name), "lines": kinds(lines), "folded": name == "html"}
        for name, lines in told_words.difference(before, after).items()
    ]
