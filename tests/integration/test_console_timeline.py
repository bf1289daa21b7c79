"""The page of a subject's timeline: completeness first, and a way on from every entry."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from notifications import audit
from notifications.console import timeline as page
from notifications.models import Attempt, AuditEntry, DeadLetter, Delivery, Dispatch, Event, Handled
from tests.integration.operator_rows import (
    EMAIL,
    PHONE,
    list_url,
    make_attempt,
    make_delivery,
    make_event,
    operator,
    page_url,
)

pytestmark = pytest.mark.django_db


def url(subject: str = "order/1") -> str:
    return reverse("admin:console_timeline_of", args=[subject])


@pytest.fixture
def reader() -> Client:
    return operator(Event, Delivery, DeadLetter, Dispatch)


@pytest.fixture
def event() -> Event:
    """Of order/1: told by email in vain, and given up by payments."""
    event = make_event(1)
    Dispatch.objects.update(state="published", published_at=event.recorded_at)
    make_attempt(make_delivery(event, state="failed"))
    DeadLetter.objects.create(
        queue="payments", message_id="m", body=b"{}", reason="failed", event_id=event.pk,
        event_type=event.type, subject=event.subject, error="<b>KeyError</b>",
    )  # fmt: skip
    return event


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def test_who_has_not_reported_stands_first_with_what_to_do(reader: Client, event: Event) -> None:
    html = text(reader, url())
    letter = DeadLetter.objects.get()
    assert "Reached 1 of 2 consumers." in html
    assert f"payments gave it up (dead letter {letter.pk} is open)" in html
    assert f'<a href="{page_url(letter)}">Read why, then redrive it</a>' in html
    assert html.index("Reached 1 of 2") < html.index("order.created recorded")


def test_a_silent_consumer_is_told_with_how_long(reader: Client) -> None:
    event = make_event(1)
    Dispatch.objects.update(state="published", published_at=event.recorded_at)
    make_delivery(event)
    html = text(reader, url())
    assert "payments has not reported for" in html
    Handled.objects.create(
        consumer="payments", event_id=event.pk, event_type=event.type, event_time=event.time,
        subject=event.subject, outcome="done",
    )  # fmt: skip
    assert "Complete: reached 2 of 2 consumers." in text(reader, url())


def test_every_entry_leads_to_its_row_and_nothing_is_said_of_addresses(
    reader: Client, event: Event
) -> None:
    html = text(reader, url())
    rows = (event, Delivery.objects.get(), Dispatch.objects.get(), DeadLetter.objects.get())
    for row in rows:
        assert page_url(row) in html
    assert "email attempt 1: failed for good" in html
    assert EMAIL not in html
    assert "&lt;b&gt;KeyError&lt;/b&gt;" in html
    assert page_url(DeadLetter.objects.get()) not in text(operator(Event), url())


def test_the_kinds_and_the_grouping_stand_in_the_address(reader: Client, event: Event) -> None:
    html = text(reader, url() + "?kind=attempt&kind=nonsense&by=day")
    assert "email attempt 1" in html
    assert "order.created recorded" not in html
    assert 'value="attempt" checked' in html
    assert "Nothing of these kinds." in text(reader, url() + "?kind=receipt")


def test_what_is_left_out_is_said(
    reader: Client, event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SHOWN", 2)
    assert "earlier entries are not shown" in text(reader, url())
    assert "not shown" not in text(reader, url() + "?all=1")
    assert Attempt.objects.exists()


@pytest.mark.parametrize("typed", ["1", "#1", "order/1", " order/1 "])
def test_the_form_leads_to_it_however_it_is_typed_and_so_does_a_link(
    reader: Client, typed: str
) -> None:
    form = reverse("admin:console_timeline")
    assert '<form class="notifications-move" method="post"' in text(reader, form)
    for answer in (reader.post(form, {"subject": typed}), reader.get(form, {"subject": typed})):
        assert answer["Location"] == url()


@pytest.mark.parametrize("address", [EMAIL, PHONE, "0049 172 9920099", "(0172) 99 200 99"])
def test_an_address_that_is_pasted_into_the_form_stands_in_no_url(
    reader: Client, address: str
) -> None:
    make_delivery(make_event())
    form = reverse("admin:console_timeline")
    for answer in (reader.post(form, {"subject": address}), reader.get(form, {"subject": address})):
        assert answer.status_code == 200
        html = answer.content.decode()
        assert "An event names no e-mail address and no phone number" in html
        assert address not in html
    [found] = re.findall(rf'href="({list_url(Delivery)}\?q=sealed[^"]+)"', html)
    rows = reader.get(found).context["cl"].result_list
    assert [row.address for row in rows] == [EMAIL] * (address == EMAIL)
    assert "sealed" not in text(operator(Event), form)


def test_a_number_with_zeros_before_it_is_an_order_s_where_it_says_so(reader: Client) -> None:
    answer = reader.post(reverse("admin:console_timeline"), {"subject": "#00001234"})
    assert answer["Location"] == url("order/1234")


def test_what_nobody_knows_is_not_found(reader: Client) -> None:
    assert "Nothing is known of &lt;i&gt;x." in text(reader, url("<i>x"), 404)
    made = make_delivery(make_event())
    led = text(reader, url(made.recipient), 404)
    [found] = re.findall(rf'href="({list_url(Delivery)}[^"]+)">Look for it among', led)
    assert list(reader.get(found).context["cl"].result_list) == [made]
    assert "Look for it" not in text(operator(Event), url(made.recipient), 404)
    form = reverse("admin:console_timeline")
    assert "Give at most 255 characters." in text(reader, f"{form}?subject={'x' * 256}")
    assert reader.get(url("x" * 300)).status_code == 302


def test_lists_lead_there_and_still_to_their_own(reader: Client, event: Event) -> None:
    html = text(reader, list_url(Delivery))
    assert f'href="{url()}"' in html
    assert list_url(Delivery, "?q=order%2F1") in html


def test_who_may_not_view_events_does_not_see_it() -> None:
    assert operator(Delivery).get(url()).status_code == 403
    assert operator(Delivery).get(reverse("admin:console_timeline")).status_code == 403


def test_what_colleagues_did_is_told_to_who_may_see_the_audit(event: Event) -> None:
    audit.record("order.refund", by="mira", reason="she called", target="x", subject="order/1")
    assert "mira" not in text(operator(Event), url())
    assert "by mira: she called" in text(operator(Event, AuditEntry), url())


def test_a_line_feed_in_what_is_looked_for_is_a_blank(reader: Client) -> None:
    answer = reader.post(reverse("admin:console_timeline"), {"subject": "order/1\nx"})
    assert answer["Location"] == url("order/1 x")
