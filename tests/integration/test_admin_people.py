"""The admin's pages of suppressions and preferences: by POST, with permission and a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from notifications.models import Consent, Preference, Suppression
from notifications.preferences import set_preference, wanted
from notifications.suppressions import is_suppressed, suppress
from tests import news
from tests.integration.operator_rows import list_url, operator, page_url

pytestmark = pytest.mark.django_db

ADDRESS = "gustav.klein@example.org"


@pytest.fixture
def club(settings: Any, tmp_path: Path) -> Iterator[None]:
    with news.declared(settings, tmp_path):
        yield


def allowed(model: type[Model], *codenames: str) -> Client:
    client = operator(model)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


def move(row: Model, verb: str) -> str:
    return reverse(f"admin:notifications_{row._meta.model_name}_{verb}", args=[row.pk])


def test_an_address_is_put_on_the_list_and_stands_nowhere() -> None:
    client = allowed(Suppression, "add_suppression")
    add = list_url(Suppression) + "add/"
    form = {"channel": "email", "address": ADDRESS, "reason": "operator", "note": "by letter"}

    page = client.get(add).content.decode()
    assert 'name="address"' in page
    response = client.post(add, form, follow=True)

    row = Suppression.objects.get()
    assert is_suppressed("email", ADDRESS) == row
    assert row.by.startswith("operator-")
    assert row.note == "by letter"
    assert "g…@example.org" in response.content.decode()
    assert ADDRESS not in response.content.decode()
    entry = LogEntry.objects.get()
    assert entry.object_id == str(row.pk)
    assert entry.object_repr == f"email {row.address_hash[:12]}: operator"
    assert "example.org" not in entry.change_message
    client.post(add, form)
    assert Suppression.objects.count() == 1


def test_what_is_no_address_is_said_on_the_form() -> None:
    client = allowed(Suppression, "add_suppression")
    form = {"channel": "sms", "address": "gustav", "reason": "operator", "note": "by letter"}

    response = client.post(list_url(Suppression) + "add/", form)

    assert "this is no telephone number" in response.content.decode()
    assert not Suppression.objects.exists()


def test_a_search_finds_exactly_an_address() -> None:
    suppress(channel="email", address=ADDRESS, reason="hard_bounce")
    suppress(channel="sms", address="+491701234567", reason="opt_out_reply")
    client = operator(Suppression)

    def found(term: str) -> list[str]:
        rows = client.get(list_url(Suppression), {"q": term}).context["cl"].result_list
        return [row.channel for row in rows]

    assert found(ADDRESS.upper()) == ["email"]
    assert found("+49 (170) 123-4567") == ["sms"]
    assert found("gustav") == []


def test_an_address_is_taken_off_the_list_with_who_and_why() -> None:
    suppress(channel="email", address=ADDRESS, reason="hard_bounce")
    suppress(channel="email", address=ADDRESS, reason="imported")
    row = Suppression.objects.earliest("pk")
    client = allowed(Suppression, "lift_suppression")
    assert move(row, "lift") in client.get(page_url(row)).content.decode()

    assert client.get(move(row, "lift")).status_code == 405
    assert client.post(move(row, "lift"), {"reason": " "}).status_code == 302
    assert is_suppressed("email", ADDRESS)
    response = client.post(move(row, "lift"), {"reason": "a typing error"}, follow=True)

    assert "Done: Let it be sent to again." in response.content.decode()
    assert is_suppressed("email", ADDRESS) is None
    row.refresh_from_db()
    assert row.removed_by.startswith("operator-")
    assert row.removed_reason == "a typing error"
    again = client.post(move(row, "lift"), {"reason": "x"}, follow=True).content.decode()
    assert "Nothing was done: it is lifted already." in again


def test_a_complaint_has_a_button_and_a_permission_of_its_own() -> None:
    suppress(channel="email", address=ADDRESS, reason="hard_bounce")
    suppress(channel="email", address=ADDRESS, reason="complaint")
    bounce, complaint = Suppression.objects.order_by("pk")
    client = allowed(Suppression, "lift_suppression")

    page = client.get(page_url(complaint)).content.decode()
    assert f'action="{move(complaint, "lift")}"' not in page
    assert "You lack the permission “Can let an address be sent to again whose owner" in page
    said = client.post(move(bounce, "lift"), {"reason": "x"}, follow=True).content.decode()
    assert "Nothing was done: its owner has complained" in said
    assert client.post(move(complaint, "lift_complaint"), {"reason": "x"}).status_code == 403
    assert is_suppressed("email", ADDRESS)

    allowed(Suppression, "lift_complaint").post(
        move(complaint, "lift_complaint"), {"reason": "she asked us to"}
    )
    assert is_suppressed("email", ADDRESS) is None


@pytest.mark.usefixtures("club")
def test_an_operator_says_for_somebody_what_they_want() -> None:
    client = allowed(Preference, "add_preference", "change_preference", "view_consent")
    add = list_url(Preference) + "add/"
    form = {"person": "customer/42", "category": "news", "channel": "sms", "reason": "by phone"}
    assert "service" not in client.get(add).content.decode()

    client.post(add, form)  # not ticked: not wanted
    assert not wanted("customer/42", "news", "sms")
    client.post(add, {**form, "wanted": "on"})
    assert wanted("customer/42", "news", "sms")
    client.post(add, {**form, "category": "service"})
    client.post(add, {**form, "person": "ann@example.org"})

    row = Preference.objects.get()
    assert client.get(move(row, "opt_out")).status_code == 405
    page = client.post(move(row, "opt_out"), {"reason": "by letter"}, follow=True)
    assert "Done: Opt out." in page.content.decode()
    assert "by letter" in page.content.decode()
    history = Consent.objects.order_by("id").values_list("wanted", "source", "reason")
    assert list(history) == [
        (False, "operator", "by phone"),
        (True, "operator", "by phone"),
        (False, "operator", "by letter"),
    ]
    assert all(row.by.startswith("operator-") for row in Consent.objects.all())


@pytest.mark.usefixtures("club")
def test_who_may_only_look_changes_nothing() -> None:
    said = {"person": "customer/42", "category": "news", "channel": "sms", "source": "page"}
    set_preference(**said, wanted=True)
    row = Preference.objects.get()
    client = operator(Preference)

    page = client.get(page_url(row)).content.decode()
    assert 'name="reason"' not in page
    assert "You lack the permission" in page
    assert client.post(move(row, "opt_out"), {"reason": "x"}).status_code == 403
    assert client.get(list_url(Preference) + "add/").status_code == 403
    assert client.get(list_url(Preference, "?wanted=wanted&q=customer/42")).status_code == 200
    assert wanted("customer/42", "news", "sms")
