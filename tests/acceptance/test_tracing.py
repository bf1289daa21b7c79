"""One order, from the caller's trace to the providers' calls: every span of it, and every log line.

The processes hand over their spans when they end, and not before: so this shows too that none of
them, a forked child of the pool among them, ends with spans in hand.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx
import pytest

from notifications import log_lines
from notifications.local.ports import HOST, free_port
from notifications.local.processes import Process
from notifications.models import DeadLetter, Delivery, Event
from tests.api import a_caller
from tests.collector import Collector
from tests.shop import a_customer, a_product
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("receipts")]

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TOLD = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "OTEL_BSP_SCHEDULE_DELAY": "600000"}
SECRETS = ("PAYMENT_API_KEY", "DJANGO_SECRET_KEY", "ADDRESS_HASH_KEY", "ENCRYPTION_KEY")


def test_one_trace_and_its_log_lines_lead_from_the_request_to_the_providers(
    start, environment, sandbox
):
    customer = a_customer(devices=1)
    mug, shop = a_product(), a_caller()
    sandbox.script("sms", "refuse", code="ValidationException")
    with Collector() as collector:
        processes = _start_all(start, collector)
        headers = {"Authorization": f"Bearer {shop.token}", "traceparent": _header(TRACE, CALLER)}
        with httpx.Client(base_url=processes[0].url, headers=headers) as http:
            lines = [{"sku": mug.sku, "quantity": 1}]
            order = http.post("/api/orders", json={"customer": customer.pk, "lines": lines}).json()
            subject = f"order/{order['id']}"
            told = Delivery.objects.filter(subject=subject, state="delivered", channel="email")
            wait_for(lambda: told.count() == 2, within=60, what="the confirmation and the receipt")
            parcel = {"carrier": "DHL", "tracking_code": "JJD0001"}
            http.post(f"/api/orders/{order['id']}/ship", json=parcel).raise_for_status()
            http.get(f"/notifications/unsubscribe/{shop.token}")
        wait_for(lambda: told.count() == 3, within=60, what="the shipping notice")
        wait_for(DeadLetter.objects.exists, within=60, what="the refused text to be given up")
        logs = _end(processes)
        _look_at_the_trace(collector)
        _look_at_receipts(collector, subject)
    secrets = {customer.email.partition("@")[0], "Meryem", "elik", shop.token}
    secrets |= {customer.phone[-8:], customer.whatsapp[-8:], customer.devices.get().token}
    secrets |= {environment[name] for name in SECRETS if environment.get(name)}
    for text in (*logs, collector.text):
        assert not [secret for secret in secrets if secret in text]
    _look_at_the_lines(*logs, event=str(Event.objects.get(type="payment.completed").pk))


class Web:
    """The web process, by its address."""

    def __init__(self, process: Process, url: str) -> None:
        self.process, self.url = process, url


def _start_all(start: Any, collector: Collector) -> list[Any]:
    told = TOLD | collector.environment
    bind = f"{HOST}:{free_port()}"
    web = start(
        [sys.executable, "-m", "gunicorn", "orders_site.wsgi"],
        name="web",
        ready="Booting worker",
        **told,
        OTEL_SERVICE_NAME="web",
        WEB_BIND=bind,
        DJANGO_HTTPS="0",
    )
    relay = start(
        [sys.executable, "manage.py", "relay", "-v", "3"],
        name="relay",
        ready="is ready",
        **told,
        OTEL_SERVICE_NAME="relay",
    )
    worker = start(
        [
            *(sys.executable, "-m", "celery", "-A", "orders_site", "worker", "--pool", "prefork"),
            *("--concurrency", "2", "--loglevel", "DEBUG", "--hostname", "all@here"),
        ],
        name="worker",
        ready=" ready.",
        **told,
        OTEL_SERVICE_NAME="worker",
    )
    return [Web(web, f"http://{bind}"), relay, worker]


def _end(processes: list[Any]) -> list[str]:
    """What each has written."""
    ended = [getattr(each, "process", each) for each in processes]
    for process in ended:
        process.terminate()
    for process in ended:
        process.wait(within=30)
    return [process.log for process in ended]


def _header(trace: str, span: str) -> str:
    return f"00-{trace}-{span}-01"


def _look_at_the_trace(collector: Collector) -> None:
    def one(name: str) -> Any:
        return collector.one(name, trace=TRACE)

    request = one("POST /api/orders")
    assert (request.kind, request.parent, request.service) == ("server", CALLER, "web")
    created = one("record order.created")
    assert (created.kind, created.parent) == ("producer", request.id)
    charge, work, payments = one("charge payments"), one("work payments.settle"), None
    payments = one("process payments")
    assert payments.parent == created.id, "the consumer goes on from what the web has recorded"
    assert (payments.kind, work.parent, charge.parent) == ("consumer", payments.id, work.id)
    assert charge.kind == "client"
    completed = one("record payment.completed")
    assert completed.parent == work.id, "what a consumer records is of the trace that caused it"
    for event in (created, completed):
        published = [
            span for span in collector.spans if span.parent == event.id and span.kind == "producer"
        ]
        assert [span.service for span in published] == ["relay"]
        mailed = [
            span
            for span in collector.named("process email")
            if span.parent == event.id and span.attributes["messaging.destination.name"] == "email"
        ]
        assert [span.kind for span in mailed] == ["consumer"]
        _look_at_a_delivery(collector, mailed[0].id)


def _look_at_a_delivery(collector: Collector, message: str) -> None:
    def below(parent: str) -> dict[str, Any]:
        return {span.name: span for span in collector.spans if span.parent == parent}

    delivery = below(message)["deliver email"]
    steps = below(delivery.id)
    assert set(steps) == {"decide", "render", "send"}
    assert below(steps["send"].id)["SendEmail ses"].kind == "client"
    assert delivery.attributes["notifications.outcome"] == "sent"


def _look_at_receipts(collector: Collector, subject: str) -> None:
    """Receipts come later: traces of their own, which lead back."""
    receipts = [span for span in collector.spans if span.name == "receipt delivered"]
    back = {trace for span in receipts for trace in span.links}
    assert TRACE in back
    assert TRACE not in {span.trace for span in receipts}
    refused = [span for span in collector.named("deliver sms") if span.failed]
    assert {span.attributes["error.type"] for span in refused} == {"ValidationException"}


def _look_at_the_lines(web: str, relay: str, worker: str, *, event: str) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    for name, text in (("web", web), ("relay", relay), ("worker", worker)):
        told[name] = [json.loads(line) for line in text.splitlines()]
        for line in told[name]:
            assert line.keys() <= log_lines.FIELDS.keys()
            # What the worker logs before Celery has named it has no name yet.
            assert line.get("process", "all@").startswith(("web@", "relay@", "all@"))
    asked = [line for line in told["web"] if line["logger"] == "gunicorn.access"]
    assert [(line["route"], line["status"]) for line in asked] == [
        ("/api/orders", 201),
        ("/api/orders/<int:order_id>/ship", 200),
        ("/notifications/unsubscribe/<str:token>", 404),
    ]
    assert {line["trace_id"] for line in asked} == {TRACE}
    sent = [
        line
        for line in told["worker"]
        if line.get("event") == event and "delivery" in line and "attempt" in line["message"]
    ]
    assert {line["trace_id"] for line in sent} == {TRACE}
    assert {"email", "push"} == {line["channel"] for line in sent}
    (given_up,) = [line for line in told["worker"] if line.get("exception") == "PermanentError"]
    assert "ValidationException" in given_up["traceback"]
