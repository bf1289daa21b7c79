"""Whoever is turned away is told that nothing was done, why, and where to go on."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from notifications.models import Pause

pytestmark = pytest.mark.django_db

PAUSE = {"kind": "channel", "name": "email", "reason": "they refuse all", "on": "1"}


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password="difference-engine")


def test_a_form_from_before_one_signed_in_anew_does_nothing_and_says_what_to_do(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post(reverse("admin:console_switch"), PAUSE)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Nothing was done." in page
    assert "Go back, load the page anew, and press again." in page
    assert f'href="{reverse("admin:index")}"' in page
    assert "CSRF cookie not set" in page
    assert not Pause.objects.exists()


def test_who_lacks_the_permission_of_a_page_is_told_so_and_led_back() -> None:
    client = Client()
    client.force_login(User.objects.create_user("rita", is_staff=True))
    answer = client.get(reverse("admin:console_overview"))
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "it needs a permission that you do not have" in page
    assert f'href="{reverse("admin:index")}"' in page
    german = client.get(reverse("admin:console_overview"), headers={"accept-language": "de"})
    assert "Das dürfen Sie nicht" in german.content.decode()


def test_a_page_that_is_not_there_says_so_and_leads_back(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    answer = client.get(reverse("admin:console_job_items", args=[999999]))
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "There is no such page" in page
    assert f'href="{reverse("admin:index")}"' in page
    strange = client.get("/nowhere/")
    assert strange.status_code == 404
    assert "/admin/" not in strange.content.decode()
