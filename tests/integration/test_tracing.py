"""Where a trace goes on: from a request to its events, to the providers, to what is told again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import StringIO

import pytest
from celery import shared_task
from django.core.management import call_command
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch

from notifications import outbox, rendering, spans, tracing
from notifications.aws import clients
from notifications.channels.whatsapp_cloud import CloudApiWhatsApp
from notifications.envelope import Envelope
from notifications.middleware import TraceMiddleware
from notifications.models import Dispatch, Event
from notifications.worker.task import EventTask
from orders_site.events import OrderCreated
from tests.channels import message_to
from tests.collector import Collector
from tests.integration.letters import letter, tell
from tests.partners import Open, adapter, says, to

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@shared_task(bind=True, base=EventTask, name="tests.traced")
def task(self: object, envelope: Envelope) -> None:
    """Does nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Is sent the spans of this process, when it is told to `spans.forget()` them."""
    with Collector() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        spans.forget()
        yield collector
        monkeypatch.undo()
        spans.forget()


def trace_of(traceparent: str) -> str:
    return traceparent.split("-")[1]


def recorded() -> Envelope:
    event = replace(letter(), traceparent=GIVEN)
    names = ("id", "type", "source", "subject", "time", "data", "traceparent")
    Event.objects.create(**{name: getattr(event, name) for name in names})
    return event


def visited(**headers: str) -> str:
    """The trace of an event that a visitor's request records."""

    def view(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            return HttpResponse(outbox.record(OrderCreated(order_id=1)).traceparent)

    request = RequestFactory().get("/", headers=headers)
    return trace_of(TraceMiddleware(view)(request).content.decode())


@pytest.mark.django_db
def test_a_visitor_s_trace_goes_on_and_a_malformed_one_begins_anew() -> None:
    assert visited(traceparent=GIVEN, tracestate="vendor=1") == trace_of(GIVEN)
    begun = {visited(), visited(traceparent=f"{GIVEN}-more"), visited(traceparent="00-0-0-00")}
    assert len(begun) == 3
    assert tracing.current() == "", "nothing is left behind for the next request"


def test_a_span_is_named_by_no_word_that_a_visitor_makes_up(collector: Collector) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.resolver_match = ResolverMatch(view, (), {}, route="api/orders")
        return HttpResponse(status=405)

    TraceMiddleware(view)(RequestFactory().generic("BREW-4711", "/api/orders"))
    spans.forget()

    assert collector.names() == ["_OTHER /api/orders"]


def test_a_provider_is_told_the_trace_by_http_and_by_aws(
    partner: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = partner(says("400 Bad Request", b"{}"))
    whatsapp = CloudApiWhatsApp("1", "token", endpoint=f"http://127.0.0.1:{meta.port}")
    aws = partner(says("400 Bad Request", b"{}"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{aws.port}")
    clients.forget()
    try:
        with tracing.continued(GIVEN), suppress(Exception):
            whatsapp.send(message_to("+4917299200"))
        with tracing.continued(GIVEN), suppress(Exception):
            clients.client("sesv2").get_account()
    finally:
        clients.forget()
    for ((head, _),) in (meta.requests, aws.requests):
        assert f"\r\ntraceparent: {GIVEN}\r\n" in head.decode()


def test_a_partner_is_not_told_it(partner: Open) -> None:
    server = partner(says("204 No Content"))
    content = rendering.verbatim(replace(letter(), traceparent=GIVEN))
    with tracing.continued(GIVEN):
        adapter().send(replace(to(server), content=content))
    ((head, body),) = server.requests
    assert b"traceparent" not in head.lower() + body
    assert b'"specversion":"1.0"' in body


@pytest.mark.django_db
@pytest.mark.usefixtures("town")
def test_what_is_told_again_is_a_trace_of_its_own_that_leads_to_the_first(
    collector: Collector,
) -> None:
    event = recorded()
    tell(event)
    with tracing.continued(OTHER):
        call_command("resend", "--event", event.id, "--reason", "lost", stdout=StringIO())
    again = Dispatch.objects.get(reason=Dispatch.Reason.RESENT).attributes["traceparent"]
    headers = {"consumer": "email", "queue": "email-bulk", "receive_count": 1}
    headers |= {"sent_at": time.time(), "traceparent": again}
    task.push_request(headers=headers, retries=0)
    task(event)
    task.pop_request()
    spans.forget()

    item = collector.one("resend item")
    assert (item.links, item.parent) == ((trace_of(OTHER),), ""), "of its own, begun in the other"
    process = collector.one("process email-bulk")
    assert (process.trace, process.parent) == (item.trace, item.id)
    assert process.links == (trace_of(GIVEN),)


@pytest.mark.usefixtures("town")
@pytest.mark.django_db
def test_without_spans_what_is_told_again_stays_in_its_event_s_trace() -> None:
    event = recorded()
    with tracing.continued(OTHER):
        row = Dispatch.objects.postpone(
            event, queue="email-bulk", until=event.time, reason=Dispatch.Reason.RESENT
        )
    assert row.attributes == {}


@pytest.mark.usefixtures("aws")
@pytest.mark.django_db(transaction=True)
def test_a_call_that_takes_several_events_leads_to_each_and_each_to_it(
    collector: Collector,
) -> None:
    events = []
    for given in (GIVEN, OTHER):
        with transaction.atomic(), tracing.continued(given):
            events.append(outbox.record(OrderCreated(order_id=1)))
    call_command("relay", once=True, verbosity=0)
    spans.forget()

    call = collector.one("send test-order-events")
    assert (call.kind, call.parent) == ("client", "")
    assert set(call.links) == {trace_of(GIVEN), trace_of(OTHER)}
    for event in events:
        published = collector.one("publish test-order-events", trace=trace_of(event.traceparent))
        assert published.links == (call.trace,)
        assert published.parent == event.traceparent.split("-")[2]
        assert published.attributes["cloudevents.event_id"] == str(event.id)


@pytest.mark.django_db
def test_what_the_caller_does_not_sample_nobody_samples(collector: Collector) -> None:
    for header in (GIVEN[:-2] + "00", OTHER):
        with transaction.atomic(), tracing.continued(header):
            outbox.record(OrderCreated(order_id=1))
    flags = {event.traceparent[-2:] for event in Event.objects.all()}
    spans.forget()
    assert flags == {"00", "01"}, "so that the workers do as the web process did"
    assert {span.trace for span in collector.spans} == {trace_of(OTHER)}
