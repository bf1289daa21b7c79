"""A web process says that it lives, and what it lacks to do its part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from notifications import readiness
from notifications.aws import clients
from notifications.local.ports import free_port
from tests.waiting import wait_for

ASKED = {"database": "ok", "migrations": "ok", "broker": "ok"}


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """What one test found is not for the next."""
    readiness.forget()
    yield
    readiness.forget()


def ready(client: Client, query: str = "") -> tuple[int, dict[str, Any]]:
    answer = client.get(f"/readyz{query}")
    return answer.status_code, answer.json()


@pytest.mark.usefixtures("transactional_db", "aws")
def test_a_web_process_that_has_all_is_ready(client: Client) -> None:
    assert ready(client) == (200, {"ready": True, **ASKED})
    assert ready(client, "?strict") == (200, {"ready": True, **ASKED})


@pytest.mark.usefixtures("transactional_db", "aws")
def test_probes_come_by_address_and_without_https(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["ops.shop.example"]
    settings.SECURE_SSL_REDIRECT = True
    for path in ("/healthz", "/readyz"):
        answer = client.get(path, headers={"Host": "10.1.2.3:8000"})
        assert answer.status_code == 200, path
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.post("/healthz", headers={"Host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.usefixtures("transactional_db", "empty_aws")
def test_a_broker_without_our_queues_is_there_as_they_are_made_after_new_workers(
    client: Client,
) -> None:
    assert ready(client, "?strict")[0] == 200


@pytest.mark.usefixtures("transactional_db")
def test_orders_are_taken_without_the_broker_so_it_is_told_and_decides_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        clients.forget()
        assert ready(client) == (200, {"ready": True, **ASKED, "broker": "away"})
        assert ready(client, "?strict") == (503, {"ready": False, **ASKED, "broker": "away"})
    clients.forget()


@pytest.mark.usefixtures("transactional_db", "aws")
def test_a_migration_that_is_not_applied_is_waited_for(client: Client) -> None:
    applied = MigrationRecorder(connection).migration_qs.filter(app="notifications").last()
    assert applied is not None
    applied.delete()
    try:
        status, told = ready(client)
        assert (status, told["migrations"]) == (503, "1 not applied")
    finally:
        applied.save(force_insert=True)
    wait_for(lambda: ready(client)[0] == 200)
