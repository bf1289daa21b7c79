"""The page of one delivery: what happened to it, what it said, and what may be done about it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import F, Model
from django.test import Client
from django.urls import reverse

from notifications.channels.memory import MemoryChannel
from notifications.conf import Editable
from notifications.models import (
    Attempt,
    AuditEntry,
    Delivery,
    Dispatch,
    Event,
    Job,
    Receipt,
    Suppression,
)
from orders_site import settings as shop
from tests.integration.letters import ANN, BEN, Town
from tests.integration.operator_rows import (
    make_attempt,
    make_delivery,
    make_event,
    make_receipt,
    page_url,
)
from tests.integration.operator_rows import operator as who_may_view
from tests.integration.test_resend import message, recorded, tell

pytestmark = pytest.mark.django_db

ALL: tuple[type[Model], ...] = (
    *(Attempt, AuditEntry, Delivery, Dispatch),
    *(Event, Job, Receipt),
)
MAY = (
    *("view_personal_data", "resend_delivery", "settle_delivery", "discard_delivery"),
    *("add_suppression", "edit_and_resend_delivery"),
)

AMOUNT = re.compile(r"(?<![\w.:-])990(?![\w-])")
"""By itself: within an id, a token or a time, it is none."""


def operator(*models: type[Model], may: tuple[str, ...] = MAY) -> Client:
    client = who_may_view(*(models or ALL))
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=may))
    return client


def url(delivery: Delivery, page: str, *arguments: str) -> str:
    return reverse(f"admin:notifications_delivery_{page}", args=[delivery.pk, *arguments])


def page_of(client: Client, delivery: Delivery) -> str:
    response = client.get(page_url(delivery))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def told(town: Town, settings: Any, tmp_path: Any) -> Delivery:
    """Ann has been told of an order by an HTML mail; the template has been changed since."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "EDITABLE": {"order.created": Editable(free=("currency",), sensitive=("total_minor",))},
    }
    folder = tmp_path / "notifications" / "order.created"
    (folder / "email.txt").write_text("Dear Ann\n{{ data.total_minor }} {{ data.currency }}")
    (folder / "email.html").write_text("<p>Dear Ann</p><script>alert(1)</script>")
    town.people = [ANN, BEN]
    envelope = recorded()
    facts = {"order_id": 7, "customer_id": 1, "total_minor": 990, "currency": "EUR"}
    Event.objects.filter(pk=envelope.id).update(data=facts)
    tell(Event.objects.get(pk=envelope.id).envelope())
    (folder / "email.txt").write_text("Hello Ann\n{{ data.total_minor }} {{ data.currency }}")
    settings.TEMPLATES = [{**shop.TEMPLATES[0], "DIRS": [tmp_path]}]
    return Delivery.objects.get(recipient=ANN.reference)


def texts() -> list[str]:
    mails = MemoryChannel.outbox("email")
    return [mail.content.text for mail in mails if mail.address == ANN.address]


def test_the_timeline_tells_what_happened_in_order_and_who_laid_hands_on_it() -> None:
    delivery = make_delivery(make_event(), state="unknown")
    attempt = make_attempt(delivery, outcome="unknown")
    Attempt.objects.filter(pk=attempt.pk).update(
        request="SendEmail; text 310 characters", finished_at=F("started_at")
    )
    make_receipt(delivery)
    client = operator()
    client.post(url(delivery, "discard"), {"reason": "a test order"})

    html = page_of(client, delivery)

    table = html[html.index('id="timeline"') : html.index('id="said"')]
    told = ["order.created recorded", "attempt 0.1: claimed", "attempt 0.1: unknown", "receipt of"]
    told += ["delivery.discard", "discarded: its last state"]
    assert sorted(told, key=table.index) == told
    assert "asked: SendEmail; text 310 characters" in table
    assert "a test order" in table
    assert "gustav.klein@" not in html


def test_each_row_of_the_timeline_needs_the_right_to_view_it() -> None:
    delivery = make_delivery(make_event(), state="retrying")
    make_attempt(delivery)
    html = page_of(operator(Delivery, may=()), delivery)
    assert "attempt 0.1" not in html
    assert "order.created recorded" not in html
    assert "next try" in html


@pytest.mark.parametrize(
    ("state", "button", "becomes"),
    [
        ("unknown", "settle_sent", "sent"),
        ("unknown", "settle_failed", "failed"),
        ("unknown", "discard", "discarded"),
        ("failed", "discard", "discarded"),
        ("sent", "discard", "sent"),
        ("sent", "settle_failed", "sent"),
    ],
)
def test_a_button_moves_it_from_its_legal_states_alone(
    state: str, button: str, becomes: str
) -> None:
    delivery = make_delivery(make_event(), state=state)
    client = operator()
    offered = f'action="{url(delivery, button)}"' in page_of(client, delivery)
    assert offered == (state != becomes)
    assert client.post(url(delivery, button), {"reason": ""}, follow=True).status_code == 200
    answer = client.post(url(delivery, button), {"reason": "looked up"}, follow=True)
    delivery.refresh_from_db()
    assert delivery.state == becomes
    assert ("Nothing was done" in answer.content.decode()) == (state == becomes)


def test_its_address_is_suppressed_by_its_hash_once() -> None:
    delivery = make_delivery(make_event())
    client = operator()
    client.post(url(delivery, "suppress"), {"reason": "she called"})
    again = client.post(url(delivery, "suppress"), {"reason": "she called"}, follow=True)
    row = Suppression.objects.get()
    assert (row.reason, row.note, row.delivery_id) == ("operator", "she called", delivery.pk)
    assert "it was suppressed already" in again.content.decode()
    assert AuditEntry.objects.filter(action="suppression.add").count() == 1


@pytest.mark.parametrize("button", ["settle_sent", "settle_failed", "discard", "suppress"])
def test_who_may_not_is_told_why_and_refused(button: str) -> None:
    delivery = make_delivery(make_event(), state="unknown")
    client = operator(may=())
    html = page_of(client, delivery)
    assert html.count("You lack the permission") == 7  # with reveal and the two pages
    assert client.post(url(delivery, button), {"reason": "x"}).status_code == 403
    for page in ("again", "edit"):
        assert client.get(url(delivery, page)).status_code == 403
        assert client.post(url(delivery, page), {"reason": "x"}).status_code == 403


def test_what_was_said_is_shown_with_the_difference_once_that_is_audited(told: Delivery) -> None:
    client = operator()
    masked = client.get(url(told, "again")).content.decode()
    revealed = AuditEntry.objects.filter(action="personal_data.reveal")
    assert "Dear Ann" not in masked
    assert not revealed.exists()

    html = client.post(url(told, "again"), {"step": "reveal"}).content.decode()

    assert "-Dear Ann" in html
    assert "+Hello Ann" in html
    assert "What would be sent now" in html
    assert revealed.get().target == str(told.pk)
    assert Delivery.objects.get(pk=told.pk).generation == 0
    blind = operator(may=("resend_delivery",))
    assert blind.post(url(told, "again"), {"step": "reveal"}).status_code == 403


def test_its_html_is_served_to_the_frame_of_a_revealed_page_alone(told: Delivery) -> None:
    client = operator()
    frame = url(told, "html", "sent")
    assert client.get(frame).status_code == 403
    assert client.get(f"{frame}?ticket=x").status_code == 403

    html = client.post(reverse("admin:notifications_delivery_reveal", args=[told.pk])).content
    ticket = html.decode().partition("?ticket=")[2].partition('"')[0]
    answer = client.get(f"{frame}?ticket={ticket}")

    assert b"<p>Dear Ann</p>" in answer.content
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert client.get(f"{url(told, 'html', 'theirs')}?ticket={ticket}").status_code == 404
    assert operator().get(f"{frame}?ticket={ticket}").status_code == 403


@pytest.mark.parametrize(("text", "says"), [("original", "Dear"), ("current", "Hello")])
def test_it_is_sent_again_with_the_words_that_were_chosen(
    told: Delivery, text: str, says: str
) -> None:
    client = operator()
    given = {"step": "send", "text": text, "reason": "she lost it"}
    assert client.post(url(told, "again"), given).status_code == 302
    tell(message())
    assert texts() == ["Dear Ann\n990 EUR", f"{says} Ann\n990 EUR"]
    assert Job.objects.get().reason == "she lost it"
    assert "she lost it" in page_of(client, told)


def test_what_is_no_longer_true_is_sent_only_by_who_may_insist(told: Delivery, town: Town) -> None:
    town.untrue = "it was cancelled"
    given = {"step": "send", "text": "current", "reason": "she asked", "override": "1"}
    client = operator()
    html = client.get(url(told, "again")).content.decode()
    assert "It would be refused now: no_longer_true: it was cancelled." in html
    assert "You lack the permission" in html
    assert client.post(url(told, "again"), given).status_code == 403
    refused = client.post(url(told, "again"), {**given, "override": ""})
    assert "Nothing was done: no_longer_true" in refused.content.decode()

    chief = operator(may=(*MAY, "override_refusals"))
    assert chief.post(url(told, "again"), given).status_code == 302
    tell(message())
    assert len(texts()) == 2


@pytest.mark.parametrize("given", [{"text": "another"}, {"reason": ""}, {"reason": "x" * 256}])
def test_a_crafted_resend_is_refused_with_a_word(told: Delivery, given: dict[str, str]) -> None:
    client = operator()
    whole = {"step": "send", "text": "current", "reason": "x", **given}
    answer = client.post(url(told, "again"), whole)
    assert "Nothing was done" in answer.content.decode()
    assert not Dispatch.objects.exists()


def test_facts_are_put_right_checked_and_sent_to_it_alone(told: Delivery) -> None:
    client = operator()
    html = client.get(url(told, "edit")).content.decode()
    assert 'name="fact-currency" value="EUR"' in html
    assert not AMOUNT.search(html)  # sensitive
    assert 'name="fact-order_id"' not in html
    event = told.event
    pages = page_of(client, told) + client.get(page_url(event)).content.decode()
    assert not AMOUNT.search(pages)

    typed = {"step": "check", "fact-currency": "CHF", "fact-total_minor": ""}
    checked = client.post(url(told, "edit"), typed).content.decode()
    assert "+990 CHF" in checked or "+Hello Ann" in checked
    assert 'value="CHF"' in checked

    sent = client.post(url(told, "edit"), {**typed, "step": "send", "reason": "in francs"})
    assert sent.status_code == 302
    tell(message())
    assert texts()[-1] == "Hello Ann\n990 CHF"
    page = page_of(client, told)
    assert "Put right for this delivery alone: currency." in page
    assert "currency: EUR → CHF" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"fact-currency": "francs"}, "should match pattern"),
        ({"fact-order_id": "8"}, "it is locked"),
        ({"fact-total_minor": "1090"}, "type order/7 here"),
        ({"fact-currency": "EUR"}, "nothing was changed"),
        ({"fact-currency": "CHF", "reason": ""}, "give a reason"),
    ],
)
def test_an_edit_that_does_not_fit_is_said_at_its_field(
    told: Delivery, typed: dict[str, str], said: str
) -> None:
    answer = operator().post(url(told, "edit"), {"step": "send", "reason": "x", **typed})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Dispatch.objects.exists()


def test_what_may_not_be_edited_says_so_on_its_page_and_leads_back(
    told: Delivery, settings: Any
) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "EDITABLE": {}}
    client = operator()
    assert "Nothing of this event type may be edited" in page_of(client, told)
    answer = client.get(url(told, "edit"), follow=True)
    assert "Nothing was done: nothing of this event type" in answer.content.decode()
