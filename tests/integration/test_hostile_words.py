"""Whatever a queue, a provider, a partner or a customer says: the pages show it as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import CharField, Field, Model, TextField, UniqueConstraint
from django.test import Client

from notifications import audit
from notifications.models import AuditEntry, DeadLetter, Delivery, Event
from tests.integration.operator_rows import make_everything
from tests.urls import every_url

pytestmark = pytest.mark.django_db

EVIL = "'\"><u e>\r\n{{7*7}}%s\u202e"
"""Ends an attribute, begins an element, a second line, a template and a format."""
RAW = b"<u e>"
OURS = {
    *("kind", "state", "status", "content_type", "content_encoding"),
    *("name", "account", "token", "edited"),
}
"""Columns that hold nothing but what we choose ourselves."""


def texts(model: type[Model]) -> Iterator[Field[Any, Any]]:
    """The columns that hold somebody's words, and by which no other row is found."""
    keys = {
        name
        for key in model._meta.constraints
        if isinstance(key, UniqueConstraint)
        for name in key.fields
    }
    for field in model._meta.concrete_fields:
        free = isinstance(field, CharField | TextField) and not field.choices
        if free and not (field.unique or field.primary_key) and field.name not in OURS | keys:
            yield field


def test_a_hostile_word_in_any_column_is_text_on_every_page() -> None:
    rows = make_everything()
    words = {EVIL: EVIL, "nested": [EVIL, {EVIL: None}]}
    DeadLetter.objects.update(attributes={EVIL: {"StringValue": EVIL}})
    Event.objects.update(data=words)
    with audit.through(AuditEntry.Door.PAGE):  # the one table that nothing updates
        said = {"by": EVIL, "reason": EVIL, "before": words, "after": words}
        audit.record("delivery.x", target=Delivery.objects.latest("created_at"), **said)
    for model in set(admin.site._registry) - {AuditEntry, User}:
        for field in texts(model):
            model._default_manager.update(**{field.name: EVIL[: field.max_length]})
    root = Client()
    root.force_login(User.objects.create_superuser(f"root-{uuid4()}"))

    asked = [url for url in every_url(rows) if url.name != "admin:logout"]
    answers = {url: root.get(url.path) for url in asked}

    pages = {url: page for url, page in answers.items() if page.status_code == 200}
    assert len(pages) > 60
    assert [url for url, page in pages.items() if RAW in _body(page)] == []
    assert [url for url, page in answers.items() if page.status_code >= 500] == []
    assert any(b"&lt;u e&gt;" in _body(page) for page in pages.values()), "it is shown"


def _body(page: Any) -> bytes:
    return b"".join(page.streaming_content) if page.streaming else page.content
