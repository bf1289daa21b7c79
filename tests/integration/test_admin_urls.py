"""Every URL of the admin, those of pages to come too: nobody gets in by one that was forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, reverse

from notifications.models import Announcement, Template, TemplateVersion
from orders_site.api.models import ApiClient
from tests.integration.operator_rows import make_everything, operator

pytestmark = pytest.mark.django_db

OURS = ("notifications", "api", "django_celery_results")
DJANGOS = ("changelist", "add", "history", "delete", "change")
"""The pages that every model has; whatever else there is is a page or a button of ours."""

GIVEN = {"event_type": "order.created", "channel": "email", "language": "en", "number": 1}


def make_rows() -> dict[type[Model], Model]:
    """One row for each model that has some, by its model."""
    template = Template.objects.create(event_type="order.created", channel="email", locale="en")
    TemplateVersion.objects.create(template=template, number=1, parts={"text": "x"}, author="mira")
    announcement = Announcement.objects.create(
        event_type="shop.news", version=1, audience="customers", channels=["email"], estimate=1
    )
    client = ApiClient.objects.create(name="till", token_hash="0" * 64)
    return {type(row): row for row in (*make_everything(), template, announcement, client)}


def urls(rows: dict[type[Model], Model]) -> Iterator[tuple[str, str]]:
    """Each with the last part of its name; a row's own where there is one."""
    for model, page in admin.site._registry.items():
        for pattern in page.get_urls() if model._meta.app_label in OURS else ():
            if isinstance(pattern, URLPattern) and pattern.name:
                given = {**GIVEN, "object_id": rows[model].pk}
                names = pattern.pattern.converters
                url = reverse(f"admin:{pattern.name}", kwargs={each: given[each] for each in names})
                yield pattern.name.rpartition("_")[2], url


def test_an_anonymous_visitor_is_sent_to_the_login_from_every_url() -> None:
    found = list(urls(make_rows()))
    assert {"lift", "rotate", "cancel", "resend", "edit", "version"} <= {name for name, _ in found}
    client = Client()
    for _, url in found:
        for answer in (client.get(url), client.post(url, {"reason": "x"})):
            assert answer.status_code == 302, url
            assert answer["Location"].startswith(reverse("admin:login")), url


def test_staff_without_a_permission_gets_nowhere_by_any_url() -> None:
    client = operator()
    for name, url in urls(make_rows()):
        for answer in (client.get(url), client.post(url, {"reason": "x", "action": "publish"})):
            allowed = (403,) if name in DJANGOS else (403, 405)
            assert answer.status_code in allowed, (url, answer.status_code)


def test_who_may_only_look_changes_nothing_by_any_url() -> None:
    """The right to view is not the right to press: each button has one of its own."""
    rows = make_rows()
    client = operator(*rows)
    before = {row: type(row).objects.filter(pk=row.pk).values().get() for row in rows.values()}
    for name, url in urls(rows):
        for action in ("publish", "save", "drop", "take_back", "test"):
            answer = client.post(url, {"reason": "x", "comment": "x", "action": action})
            refused = answer.status_code in (403, 404, 405)
            assert refused or name in DJANGOS, (url, answer.status_code)
            if name != "edit":
                break
    for row, values in before.items():
        assert type(row).objects.filter(pk=row.pk).values().get() == values


def test_no_button_is_pressed_by_following_a_link_or_by_another_site_s_form() -> None:
    rows = make_rows()
    user = User.objects.create_superuser(f"root-{uuid4()}")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    before = {row: type(row).objects.filter(pk=row.pk).values().get() for row in rows.values()}
    for name, url in urls(rows):
        if name not in (*DJANGOS, "edit", "version", "everywhere"):
            assert client.get(url).status_code == 405, url
        if name != "changelist":
            assert client.post(url, {"reason": "x"}).status_code in (403, 405), url
    for row, values in before.items():
        assert type(row).objects.filter(pk=row.pk).values().get() == values
