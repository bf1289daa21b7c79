"""What every row must carry from the first day on, because no migration could make it up later."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import Model

from notifications.models import (
    Announcement,
    AnnouncementEntry,
    Attempt,
    AuditEntry,
    Breaker,
    Consent,
    Conversation,
    Delivery,
    DigestItem,
    DigestWindow,
    Erasure,
    FailureNote,
    Job,
    JobEntry,
    Lane,
    LoginFailure,
    Lot,
    Pause,
    Preference,
    Progress,
    Punctuality,
    RateLimit,
    RenderedContent,
    Restoration,
    Seen,
    Suppression,
    Template,
    TemplateVersion,
    Throughput,
    WebhookEndpoint,
    WorkerProcess,
)

MODELS = list(apps.get_app_config("notifications").get_models())
OF_THE_HOUSE = {
    AuditEntry,
    Breaker,
    DigestItem,
    DigestWindow,
    Erasure,
    FailureNote,
    Job,
    JobEntry,
    LoginFailure,
    Pause,
    Progress,
    Punctuality,
    RateLimit,
    Restoration,
    Seen,
    Template,
    TemplateVersion,
    Throughput,
    WebhookEndpoint,
    WorkerProcess,
    *(Announcement, AnnouncementEntry, Lane, Lot),
}
"""About an account, a queue, a consumer, a partner, a process, many orders or people: not about
one fact."""
OF_PEOPLE = {Consent, Conversation, Preference, RenderedContent, Suppression}
"""Rows about what a person has said or was told, or what happened at an address."""


def columns(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model not in OF_THE_HOUSE | OF_PEOPLE]
)
def test_every_row_of_an_event_says_what_it_is_about(model: type[Model]) -> None:
    assert "subject" in columns(model)
    assert any(index.fields[:1] == ["subject"] for index in model._meta.indexes)


def test_an_address_stands_in_no_row_but_the_delivery() -> None:
    assert [model for model in MODELS if "address" in columns(model)] == [Delivery]


@pytest.mark.parametrize("name", ["locale", "template_version", "provider"])
def test_what_is_known_only_once_it_is_sent_may_be_missing(name: str) -> None:
    assert Delivery._meta.get_field(name).null


def test_each_step_of_a_delivery_has_its_time() -> None:
    steps = {"event_time", "created_at", "started_at", "sent_at", "finished_at"}
    assert steps <= columns(Delivery)
    assert {"started_at", "finished_at", "generation", "token"} <= columns(Attempt)
