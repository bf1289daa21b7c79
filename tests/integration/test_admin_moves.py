"""The buttons on a dead letter's page: by POST, with permission, and with a reason that stays."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from notifications.admin.moves import MovingAdmin
from notifications.models import DeadLetter, Job
from tests.api import a_caller
from tests.integration.operator_rows import make_everything, operator, page_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def letter() -> DeadLetter:
    return DeadLetter.objects.create(queue="email", message_id="m", body=b"{}", reason="poison")


@pytest.fixture
def mender() -> Client:
    """Somebody who may view dead letters, and discard them."""
    client = operator(DeadLetter)
    allow(client, "discard_deadletter")
    return client


def allow(client: Client, codename: str) -> None:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(Permission.objects.get(codename=codename))


def url(letter: DeadLetter, verb: str) -> str:
    return reverse(f"admin:notifications_deadletter_{verb}", args=[letter.pk])


def state(letter: DeadLetter) -> str:
    letter.refresh_from_db()
    return letter.state


def test_a_page_says_why_it_is_here_and_offers_what_may_be_done(
    letter: DeadLetter, mender: Client
) -> None:
    html = mender.get(page_url(letter)).content.decode()
    assert "it kills or hangs its process" in html
    assert "not while it is open" in html
    assert f'action="{url(letter, "discard")}"' in html
    assert "notifications-move" in html
    assert url(letter, "restore") not in html


def test_it_is_discarded_and_restored_with_who_and_why(letter: DeadLetter, mender: Client) -> None:
    response = mender.post(url(letter, "discard"), {"reason": "a test order"}, follow=True)

    assert "Done: Discard." in response.content.decode()
    assert f'action="{url(letter, "restore")}"' in response.content.decode()
    assert state(letter) == "discarded"
    assert letter.changed_by.startswith("operator-")
    assert letter.change_reason == "a test order"

    mender.post(url(letter, "restore"), {"reason": "it was none"})
    assert state(letter) == "open"


def test_one_whose_body_was_erased_is_not_offered_to_be_restored(
    letter: DeadLetter, mender: Client
) -> None:
    DeadLetter.objects.all().wipe(by="forgotten", reason="its body held an address")
    html = mender.get(page_url(letter)).content.decode()
    assert "its body held an address" in html
    assert url(letter, "restore") not in html
    response = mender.post(url(letter, "restore"), {"reason": "x"}, follow=True)
    assert "Nothing was done: its body was erased" in response.content.decode()
    assert state(letter) == "discarded"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 256])
def test_without_a_reason_nothing_is_done(letter: DeadLetter, mender: Client, reason: str) -> None:
    response = mender.post(url(letter, "discard"), {"reason": reason}, follow=True)
    assert "Nothing was done: give a reason" in response.content.decode()
    assert state(letter) == "open"


def test_what_was_redriven_meanwhile_is_left_alone(letter: DeadLetter, mender: Client) -> None:
    DeadLetter.objects.update(state="redriven")
    response = mender.post(url(letter, "discard"), {"reason": "x"}, follow=True)
    assert "Nothing was done: it is redriven." in response.content.decode()


@pytest.mark.parametrize("dealt_with", ["redriven", "discarded"])
def test_a_redrive_of_what_was_dealt_with_meanwhile_says_so_and_leaves_no_job(
    letter: DeadLetter, mender: Client, dealt_with: str
) -> None:
    allow(mender, "redrive_deadletter")
    DeadLetter.objects.update(state=dealt_with)
    response = mender.post(url(letter, "redrive"), {"reason": "mended"}, follow=True)
    assert f"Nothing was done: it is {dealt_with} already." in response.content.decode()
    assert not Job.objects.exists()


def test_an_address_in_a_reason_is_kept_masked_whatever_button_it_was_typed_for(
    admin_client: Client,
) -> None:
    make_everything()
    a_caller()
    said, pressed = {"reason": "ann.smith@example.net asked, from +44 7700 900123"}, set()
    pages = [page for page in admin.site._registry.values() if isinstance(page, MovingAdmin)]
    for page in pages:
        for row in page.model._default_manager.all():
            for move in page.moves:
                row.refresh_from_db()
                if move.offered(row):
                    url = reverse(f"admin:{page._url_name(move)}", args=[row.pk])
                    assert admin_client.post(url, said).status_code < 400
                    pressed.add(url.split("/")[-2])
    admin_client.post(
        reverse("admin:notifications_preference_add"),
        {"person": "customer/9", "category": "news", "channel": "email", **said},
    )

    assert pressed > {"discard", "restore", "lift", "suppress", "opt_in", "disable", "revoke"}
    kept = repr([[*model._default_manager.values()] for model in apps.get_models()])
    assert "a…@example.net asked, from …0123" in kept
    assert "ann.smith" not in kept
    assert "900123" not in kept


def test_who_may_only_look_is_told_why_and_refused(letter: DeadLetter) -> None:
    client = operator(DeadLetter)
    page = client.get(page_url(letter)).content.decode()
    assert '<button class="button" type="button" disabled' in page
    assert "You lack the permission “Can discard and restore dead letters”." in page
    assert 'name="reason"' not in page
    assert client.post(url(letter, "discard"), {"reason": "x"}).status_code == 403
    assert state(letter) == "open"


def test_nothing_is_changed_by_a_get_or_without_the_token(
    letter: DeadLetter, mender: Client
) -> None:
    assert mender.get(url(letter, "discard"), {"reason": "x"}).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = mender.cookies
    assert strict.post(url(letter, "discard"), {"reason": "x"}).status_code == 403
    assert state(letter) == "open"


def test_one_that_is_not_there_is_not_found(mender: Client) -> None:
    missing = DeadLetter(pk=999)
    assert mender.post(url(missing, "discard"), {"reason": "x"}).status_code == 404


def test_an_anonymous_visitor_is_sent_to_the_login(letter: DeadLetter) -> None:
    response = Client().post(url(letter, "discard"), {"reason": "x"})
    assert response.status_code == 302
    assert state(letter) == "open"
