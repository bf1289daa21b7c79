"""A public web process (WEB_CONSOLE=0): what strangers need of it is there, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.test import Client

from notifications import readiness
from notifications.aws import clients
from notifications.unsubscribe import PreferenceLink
from orders_site import urls
from orders_site.checks import PUBLIC, the_public_address_is_answered
from tests.api import a_caller
from tests.receipt_calls import WEBHOOKS, call_meta, meta_body, meta_status
from tests.shop import a_customer, a_product
from tests.urls import every_url


class Refusing(ThreadingHTTPServer):
    """AWS to somebody who may do nothing. Remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.headers.get("X-Amz-Target", "another service"))
        body = b'{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "no"}'
        self.send_response(403)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """pytest needs no access log."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusing]:
    server = Refusing()
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    clients.forget()
    readiness.forget()
    yield server
    monkeypatch.undo()
    clients.forget()
    readiness.forget()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.ROOT_URLCONF = PUBLIC
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "RECEIPT_WEBHOOKS": WEBHOOKS,
        "PUBLIC_URL": "https://shop.example",
        "METRICS_TOKEN": "long-enough-to-be-one",
    }


@pytest.mark.django_db
def test_the_public_process_serves_no_page_of_the_console(
    admin_client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = urls.__name__
    whole = {url.path for url in every_url([])}
    settings.ROOT_URLCONF = PUBLIC
    public = {url.path for url in every_url([])}

    assert all(path.startswith(("/api/", "/notifications/")) for path in public)
    assert len(whole - public) > 100
    bearer = {"Authorization": "Bearer long-enough-to-be-one"}
    for path in sorted(whole - public):
        assert admin_client.get(path, headers=bearer).status_code == 404, path
    assert admin_client.get("/api/docs").status_code == 401, "nobody can log in here"


@pytest.mark.usefixtures("transactional_db")
def test_it_takes_orders_and_is_ready_where_aws_refuses_it_everything(
    refusing: Refusing, client: Client
) -> None:
    customer = a_customer()
    assert a_caller().place(customer, a_product()).status_code == 201
    assert a_caller().get("/api/openapi.json").status_code == 200
    link = PreferenceLink(f"customer/{customer.pk}", "a-delivery", "en")
    assert client.get(link.url.removeprefix("https://shop.example")).status_code == 200
    tag = "0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10.0.1"
    assert call_meta(meta_body(meta_status(tag, "read"))).status_code == 200
    assert refusing.asked == []

    assert client.get("/readyz").json() == {
        "ready": True,
        **dict.fromkeys(("database", "migrations", "broker"), "ok"),
    }
    assert refusing.asked == ["AmazonSQS.GetQueueUrl"], "a refusal is an answer"


def test_a_public_process_that_refuses_its_own_address_is_found(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["ops.shop.example"]
    (message,) = the_public_address_is_answered()
    assert message.id == "shop.W008"
    assert "Add shop.example to DJANGO_ALLOWED_HOSTS" in (message.hint or "")

    settings.ALLOWED_HOSTS = ["ops.shop.example", ".shop.example"]
    assert the_public_address_is_answered() == []
    settings.ALLOWED_HOSTS = ["ops.shop.example"]
    settings.ROOT_URLCONF = urls.__name__
    assert the_public_address_is_answered() == []
