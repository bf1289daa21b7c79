"""What the permission for one kind of row opens, and that nobody changes a fact by a page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from notifications.models import Delivery, Event
from tests.integration.operator_rows import (
    ADDED_BY_FORM,
    EMAIL,
    MODELS,
    list_url,
    make_attempt,
    make_delivery,
    make_event,
    make_everything,
    operator,
    page_url,
)

pytestmark = pytest.mark.django_db


def test_the_permission_for_one_kind_of_row_opens_no_other() -> None:
    rows = make_everything()
    client = operator(Event)
    for row in rows:
        expected = 200 if isinstance(row, Event) else 403
        assert client.get(page_url(row)).status_code == expected, row


def test_a_page_shows_no_rows_that_its_visitor_may_not_see_elsewhere() -> None:
    event = make_event()
    delivery = make_delivery(event)
    make_attempt(delivery)
    html = operator(Event).get(page_url(event)).content.decode()
    assert "customer/42" not in html
    assert page_url(delivery) not in html
    html = operator(Delivery).get(page_url(delivery)).content.decode()
    assert "Attempts, in order" not in html
    assert page_url(event.dispatches.get()) not in html


@pytest.mark.parametrize("who", ["superuser", "operator"])
def test_nobody_adds_changes_or_deletes_a_fact(who: str) -> None:
    rows = make_everything()
    client = operator(*MODELS)
    if who == "superuser":
        client.force_login(User.objects.create_superuser("root"))
    before = {row: type(row).objects.filter(pk=row.pk).values().get() for row in rows}
    form = {"state": "failed", "address": "x", "_save": "1", "post": "yes"}
    for model in MODELS:
        by_form = who == "superuser" and model in ADDED_BY_FORM  # which says what is missing
        answer = client.post(list_url(model) + "add/", form).status_code
        assert answer == (200 if by_form else 403), model
        action = {"action": "delete_selected", "_selected_action": [r.pk for r in rows], **form}
        client.post(list_url(model), action)
    for row in rows:
        page = page_url(row)
        assert client.post(page, form).status_code == 403, page
        assert client.post(page.replace("/change/", "/delete/"), form).status_code == 403, page
    for row, values in before.items():
        assert type(row).objects.filter(pk=row.pk).values().get() == values


@pytest.mark.parametrize(
    "query",
    [
        f"?address__startswith={EMAIL[:3]}",
        "?address_hash__gt=1",
        "?last_error__icontains=refused",
        "?event__data__order_id=1",
        "?_to_field=address",
    ],
)
def test_a_query_string_reads_no_column_that_the_page_does_not_offer(query: str) -> None:
    make_delivery(make_event())
    assert operator(Delivery).get(list_url(Delivery, query)).status_code == 400
