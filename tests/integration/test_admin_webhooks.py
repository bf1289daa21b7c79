"""The page of partners' endpoints: added, given a new secret and disabled, each on record."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications import webhooks
from notifications.conf import Route
from notifications.models import WebhookEndpoint
from tests.integration.operator_rows import list_url, operator, page_url

pytestmark = pytest.mark.django_db

URL = "https://hooks.partner.example/a-secret-path"
ADD = list_url(WebhookEndpoint) + "add/"


@pytest.fixture(autouse=True)
def _routed(settings: Any) -> None:
    routes = {"order.created": [Route("webhook")], "order.shipped": [Route("webhook")]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ROUTES": routes}


@pytest.fixture
def client() -> Client:
    """Somebody who may look at endpoints, add and change them."""
    client = operator(WebhookEndpoint)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    codenames = ["add_webhookendpoint", "change_webhookendpoint"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return webhooks.add(name="warehouse", url=URL, by="ops").endpoint


def url(endpoint: WebhookEndpoint, verb: str) -> str:
    return reverse(f"admin:notifications_webhookendpoint_{verb}", args=[endpoint.pk])


def test_the_form_says_when_there_is_nothing_to_be_posted(client: Client, settings: Any) -> None:
    assert "Add webhook endpoint" in client.get(ADD).content.decode().split("<h1>")[0]

    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ROUTES": {}}
    assert "No event type is routed to webhooks yet" in client.get(ADD).content.decode()


def test_an_endpoint_is_added_and_its_secret_shown_once(client: Client) -> None:
    form = client.get(ADD).content.decode()
    assert "order.shipped" in form

    response = client.post(ADD, {"name": "warehouse", "url": URL, "event_types": ["order.shipped"]})

    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert (endpoint.url, endpoint.event_types) == (URL, ["order.shipped"])
    assert endpoint.created_by.startswith("operator-")
    for page in (list_url(WebhookEndpoint), page_url(endpoint)):
        html = client.get(page).content.decode()
        assert "https://hooks.partner.example/…" in html
        assert endpoint.secret not in html
        assert "a-secret-path" not in html


@pytest.mark.parametrize(
    ("asked", "why_not"),
    [
        ({"url": "https://169.254.169.254/"}, "link-local"),
        ({"name": "warehouse"}, "already"),
        ({"event_types": ["order.eaten"]}, "order.eaten"),
    ],
)
def test_what_cannot_be_had_so_is_said_on_the_form(
    client: Client, endpoint: WebhookEndpoint, asked: dict[str, Any], why_not: str
) -> None:
    response = client.post(ADD, {"name": "books", "url": URL} | asked)

    assert response.status_code == 200
    assert why_not in response.content.decode()
    assert "&rsaquo; None" not in response.content.decode()
    assert WebhookEndpoint.objects.count() == 1


def test_it_is_disabled_and_enabled_with_who_and_why(
    client: Client, endpoint: WebhookEndpoint
) -> None:
    response = client.post(url(endpoint, "disable"), {"reason": "they asked"}, follow=True)

    endpoint.refresh_from_db()
    assert "Done: Disable." in response.content.decode()
    assert (endpoint.state, endpoint.reason) == ("disabled", "they asked")
    assert endpoint.changed_by.startswith("operator-")
    again = client.post(url(endpoint, "disable"), {"reason": "again"}, follow=True)
    assert "Nothing was done: it is disabled already." in again.content.decode()
    client.post(url(endpoint, "enable"), {"reason": "they are back"})
    endpoint.refresh_from_db()
    assert endpoint.state == "enabled"


def test_a_new_secret_is_shown_once(client: Client, endpoint: WebhookEndpoint) -> None:
    old = endpoint.secret

    response = client.post(url(endpoint, "rotate"), {"reason": "a year old"})

    endpoint.refresh_from_db()
    html = response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert endpoint.secret in html
    assert endpoint.old_secret == old
    assert old not in html
    assert endpoint.secret not in client.get(page_url(endpoint)).content.decode()


def test_the_secret_that_a_partner_knows_outlives_a_page_that_is_loaded_again(
    client: Client, endpoint: WebhookEndpoint
) -> None:
    known = endpoint.secret
    client.post(url(endpoint, "rotate"), {"reason": "a year old"})

    again = client.post(url(endpoint, "rotate"), {"reason": "a year old"}, follow=True)

    endpoint.refresh_from_db()
    assert "Nothing was done: its old secret signs still;" in again.content.decode()
    assert url(endpoint, "rotate") not in again.content.decode()
    assert endpoint.old_secret == known

    WebhookEndpoint.objects.update(old_secret_until=timezone.now())
    assert url(endpoint, "rotate") in client.get(page_url(endpoint)).content.decode()


@pytest.mark.parametrize("verb", ["disable", "enable", "rotate"])
def test_nothing_is_changed_without_permission_reason_or_token(
    client: Client, endpoint: WebhookEndpoint, verb: str
) -> None:
    before = WebhookEndpoint.objects.values().get()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    looker = operator(WebhookEndpoint)

    assert client.get(url(endpoint, verb), {"reason": "x"}).status_code == 405
    assert client.post(url(endpoint, verb), {"reason": " "}).status_code == 302
    assert strict.post(url(endpoint, verb), {"reason": "x"}).status_code == 403
    assert looker.post(url(endpoint, verb), {"reason": "x"}).status_code == 403
    assert looker.post(ADD, {"name": "books", "url": URL}).status_code == 403
    assert 'name="reason"' not in looker.get(page_url(endpoint)).content.decode()
    assert WebhookEndpoint.objects.values().get() == before


@pytest.mark.parametrize("term", ["warehouse", "{pk}", "endpoint/{pk}"])
def test_it_is_found_by_its_name_or_id(
    client: Client, endpoint: WebhookEndpoint, term: str
) -> None:
    webhooks.add(name="books", url=URL, by="ops")
    found = client.get(list_url(WebhookEndpoint), {"q": term.format(pk=endpoint.pk)})

    assert [row.pk for row in found.context["cl"].result_list] == [endpoint.pk]
