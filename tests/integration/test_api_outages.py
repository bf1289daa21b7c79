"""The order request waits for nobody: AWS and the providers may hang, it does not even ask them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import httpx
import pytest

from notifications.local.ports import free_port
from notifications.models import Dispatch
from orders_site.orders.models import Order
from tests.api import ORDERS, a_caller, an_order_for
from tests.conftest import Start

GUNICORN = [sys.executable, "-m", "gunicorn", "orders_site.wsgi"]
SERVICES = ("SNS", "SQS", "SESV2", "PINPOINT_SMS_VOICE_V2", "SOCIALMESSAGING")


@pytest.fixture
def abyss() -> Iterator[socket.socket]:
    """A server that takes every connection and answers none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.setblocking(False)
        yield listener


@pytest.mark.S1
def test_orders_are_taken_while_aws_and_the_providers_hang(
    start: Start, abyss: socket.socket
) -> None:
    nowhere = f"http://127.0.0.1:{abyss.getsockname()[1]}"
    endpoints = {f"AWS_ENDPOINT_URL_{service}": nowhere for service in SERVICES}
    endpoints |= {"AWS_ENDPOINT_URL": nowhere, "FCM_ENDPOINT": nowhere}
    port = free_port()
    start(GUNICORN, name="web", ready="Booting worker", WEB_BIND=f"127.0.0.1:{port}", **endpoints)
    caller = a_caller()
    headers = {"Authorization": f"Bearer {caller.token}", "Idempotency-Key": "k"}

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as till:
        body = an_order_for()
        placed = till.post(ORDERS, json=body, headers=headers)
        assert placed.status_code == 201
        read = till.get(placed.headers["Location"], headers=headers)
        assert read.json() == placed.json()
        again = till.post(ORDERS, json=body, headers=headers)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.content == placed.content

    assert Order.objects.get().client == caller.name
    assert Dispatch.objects.get().state == "waiting"
    with pytest.raises(BlockingIOError):  # nobody has even knocked
        abyss.accept()
