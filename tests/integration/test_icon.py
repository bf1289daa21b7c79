"""The icon in a browser's tab: every page names it, so no browser asks for /favicon.ico in vain."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from django.test import Client

from notifications.unsubscribe import PreferenceLink

pytestmark = pytest.mark.django_db

OF_THE_CONSOLE = [
    "/admin/",
    "/admin/console/overview/",
    "/admin/notifications/delivery/",
    "/admin/orders/order/",
    "/admin/auth/user/add/?_popup=1",
    "/admin/password_change/",
    "/api/docs",
]


def icon_of(page: str) -> str:
    """The first; the API's page offers another form of the same."""
    found = re.findall(r'<link rel="icon" href="([^"]+)"', page)
    assert found, page
    return str(found[0])


@pytest.mark.parametrize("path", OF_THE_CONSOLE)
def test_a_page_for_staff_names_an_icon_that_is_served(admin_client: Client, path: str) -> None:
    page = admin_client.get(path)
    assert page.status_code == 200
    is_served(admin_client, icon_of(page.text))


def test_the_login_names_it_too(client: Client) -> None:
    is_served(client, icon_of(client.get("/admin/login/").text))


def is_served(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, path
    assert answer["Content-Type"].startswith("image/svg+xml")
    assert b"<svg" in b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def test_a_customer_s_page_has_it_in_itself_and_may_draw_it(client: Client) -> None:
    for path in (urlsplit(PreferenceLink("customer/1").url).path, "/notifications/unsubscribe/x"):
        page = client.get(path)
        kind, _, drawn = icon_of(page.text).partition(",")
        assert kind == "data:image/svg+xml"
        assert unquote(drawn).startswith("<svg ")
        assert "img-src data:;" in page["Content-Security-Policy"]
