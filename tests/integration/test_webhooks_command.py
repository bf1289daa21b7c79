"""`manage.py webhooks`, as an operator types it."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import webhooks
from notifications.channels.webhook_signature import key_of
from notifications.conf import Route
from notifications.local.providers.client import SandboxClient
from notifications.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

URL = "https://hooks.partner.example/orders/a-secret-path"


@pytest.fixture(autouse=True)
def _routed(settings: Any) -> None:
    routes = {"order.created": [Route("webhook")], "order.shipped": [Route("webhook")]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ROUTES": routes}


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return webhooks.add(name="warehouse", url=URL, by="ops").endpoint


def run(*words: str) -> str:
    out = StringIO()
    call_command("webhooks", *words, stdout=out)
    return out.getvalue()


def test_an_endpoint_is_added_and_its_secret_shown_once() -> None:
    said = run("add", "warehouse", URL, "--event-type", "order.shipped", "--by", "mira")

    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in said
    assert len(key_of(endpoint.secret)) == webhooks.SECRET_BYTES
    assert (endpoint.event_types, endpoint.created_by) == (["order.shipped"], "mira")
    listed = run()
    assert "warehouse  https://hooks.partner.example/…  order.shipped; took none yet" in listed
    for text in (listed, run("list", "--json")):
        assert endpoint.secret not in text
        assert "a-secret-path" not in text


def test_in_json_the_secret_is_a_field_of_its_own() -> None:
    added = json.loads(run("add", "warehouse", URL, "--json"))
    rotated = json.loads(run("rotate", "warehouse", "--reason", "a year old", "--json"))

    endpoint = WebhookEndpoint.objects.get()
    assert (added["id"], added["url"]) == (str(endpoint.pk), "https://hooks.partner.example/…")
    assert (added["secret"], rotated["secret"]) == (endpoint.old_secret, endpoint.secret)


def test_a_new_secret_leaves_the_old_one_for_as_long_as_is_said(endpoint: WebhookEndpoint) -> None:
    said = run("rotate", "warehouse", "--overlap", "2", "--reason", "a year old", "--by", "mira")

    now, old = timezone.now(), endpoint.secret
    endpoint.refresh_from_db()
    assert endpoint.secret in said
    assert endpoint.secrets(now) == [endpoint.secret, old]
    assert endpoint.secrets(now + timedelta(hours=2)) == [endpoint.secret]
    assert (endpoint.changed_by, endpoint.reason) == ("mira", "a year old")


def test_it_is_disabled_and_enabled_with_who_and_why(endpoint: WebhookEndpoint) -> None:
    assert run("disable", str(endpoint.pk), "--reason", "they asked", "--by", "mira") == (
        "warehouse is disabled\n"
    )
    assert "by mira: they asked" in run("list")
    assert run("disable", "warehouse", "--reason", "again") == "warehouse is disabled already\n"
    assert run("enable", "warehouse", "--reason", "back") == "warehouse is enabled\n"


def test_how_each_does_is_in_the_list(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.failed(endpoint.pk, "http_503: no", gone=False, after=timedelta(days=1))

    assert "1 in a row: http_503: no" in run()
    [row] = json.loads(run("--json"))["endpoints"]
    assert (row["state"], row["failures"], row["last_error"]) == ("enabled", 1, "http_503: no")


def test_a_test_says_what_came_back(sandbox: SandboxClient) -> None:
    url = f"{sandbox.url}/webhooks/warehouse"
    sandbox.webhook_secret("warehouse", webhooks.add(name="warehouse", url=url, by="ops").secret)

    assert run("test", "warehouse") == f"warehouse at {sandbox.url}/… took it\n"
    sandbox.script("webhook", "refuse", code="403")
    with pytest.raises(CommandError, match="did not take it: http_403"):
        run("test", "warehouse")


@pytest.mark.parametrize(
    "words",
    [
        ["add", "books", URL],
        ["test", "warehouse"],
        ["rotate", "warehouse", "--reason", "x"],
        ["disable", "warehouse", "--reason", "x"],
    ],
)
def test_a_dry_run_changes_nothing(endpoint: WebhookEndpoint, words: list[str]) -> None:
    before = list(WebhookEndpoint.objects.values())

    assert "nothing was done" in run(*words, "--dry-run")
    assert list(WebhookEndpoint.objects.values()) == before


@pytest.mark.parametrize(
    ("words", "why_not"),
    [
        (["test", "nobody"], "there is no endpoint 'nobody'"),
        (["add", "warehouse", URL], "there is an endpoint 'warehouse' already"),
        (["add", "warehouse", URL, "--dry-run"], "there is an endpoint 'warehouse' already"),
        (["add", "books", "http://partner.example/"], r"must begin with https://\.$"),
        (["add", "books", URL, "--event-type", "order.eaten"], "no event type 'order.eaten'"),
        (["disable", "warehouse"], "--reason"),
        (["rotate", "warehouse", "--reason", "x", "--overlap", "-1"], "0 to 720 hours"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    endpoint: WebhookEndpoint, settings: Any, words: list[str], why_not: str
) -> None:
    channels = settings.NOTIFICATIONS["CHANNELS"]
    public = type(channels["webhook"])(channels["webhook"].adapter)
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"CHANNELS": channels | {"webhook": public}}

    with pytest.raises(CommandError, match=why_not):
        run(*words)
