"""The operators' pages, through Django's client, on the real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from notifications.admin import reasons
from notifications.admin.display import STATES
from notifications.models import (
    Attempt,
    Breaker,
    DeadLetter,
    Delivery,
    Dispatch,
    Handled,
    Job,
    JobItem,
    Receipt,
)
from tests.integration.operator_rows import (
    EMAIL,
    MODELS,
    PHONE,
    TOKEN,
    list_url,
    make_attempt,
    make_delivery,
    make_event,
    make_everything,
    make_failed_task,
    make_receipt,
    operator,
    page_url,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return operator(*MODELS, Attempt)


def every_filter(model: type[Model]) -> Iterator[str]:
    """Every choice of every filter of this model's list, as a query string."""
    request = RequestFactory().get("/")
    for entry in admin.site.get_model_admin(model).list_filter:
        if not hasattr(entry, "lookups"):
            yield from (f"?{name}=1h" for name in entry.parameters)
            continue
        for option, _title in entry.lookups(entry.__new__(entry), request, None):
            yield f"?{entry.parameter_name}={option}"
        yield f"?{entry.parameter_name}=all"


def is_fit_to_be_seen(html: str, url: str) -> None:
    """No address of anybody's, but where it was searched for; and one word for what failed."""
    assert not [each for each in (EMAIL, PHONE, TOKEN) if each in html and each not in url], url
    assert "ailed task" not in html, url


@pytest.mark.parametrize("model", MODELS)
def test_every_list_shows_its_rows_filters_and_searches_without_counting_or_an_address(
    model: type[Model], client: Client
) -> None:
    make_everything()
    searches = ["1", "order/1", "customer/42", EMAIL, str(uuid4()), "group-1", "nothing", "%", "'"]
    addresses = ["", *every_filter(model), *(f"?q={term}" for term in searches)]
    for query in addresses:
        with CaptureQueriesContext(connection) as captured:
            response = client.get(list_url(model, query))
        assert response.status_code == 200, query
        assert not [entry for entry in captured if "COUNT(" in entry["sql"].upper()], query
        html = response.content.decode()
        is_fit_to_be_seen(html, query)
        assert query or "result_list" in html


def test_every_page_of_every_row_renders_without_counting_or_an_address(client: Client) -> None:
    pages = []
    for url in [reverse("admin:index"), *map(page_url, make_everything())]:
        with CaptureQueriesContext(connection) as captured:
            response = client.get(url)
        assert response.status_code == 200, url
        assert not [entry for entry in captured if "COUNT(" in entry["sql"].upper()], url
        pages.append(response.content.decode())
        is_fit_to_be_seen(pages[-1], url)
    assert any(">Task results</h2>" in html for html in pages)


def test_every_state_there_is_has_its_word_and_its_colour() -> None:
    kinds = [
        Delivery.State,
        Attempt.Outcome,
        Dispatch.State,
        DeadLetter.State,
        Handled.Outcome,
        Breaker.State,
        Receipt.Kind,
        Job.State,
        JobItem.Outcome,
    ]
    assert {state for kind in kinds for state in kind.values} <= set(STATES)


def test_a_delivery_shows_its_facts_its_attempts_in_order_and_what_belongs_to_it(
    client: Client,
) -> None:
    event = make_event(7)
    delivery = make_delivery(event, state="failed")
    make_attempt(delivery, outcome="transient", number=1)
    attempt = make_attempt(delivery, outcome="permanent", number=2)
    assert attempt.task_id is not None
    failed = make_failed_task(event, attempt.task_id)
    receipt = make_receipt(delivery)
    letter = DeadLetter.objects.create(
        queue="email", message_id="m", body=b"", event_id=event.pk, reason="permanent"
    )

    html = client.get(page_url(delivery)).content.decode()

    assert "g…@example.org" in html
    assert html.index("failed for now") < html.index("failed for good")
    for row in (event, failed, receipt, letter, event.dispatches.get()):
        assert f'href="{page_url(row)}"' in html, row


@pytest.mark.parametrize(
    ("state", "reason", "sentence"),
    [
        ("skipped", "opted_out", "The customer does not agree to this channel."),
        ("skipped", "no_address", "There is no address for this channel."),
        ("skipped", "expired", "The event had grown too old to be worth telling."),
        ("skipped", "no_longer_true: the order was cancelled", "was no longer true when"),
        ("failed", "attempts_exhausted", "It was tried as often as the consumer allows"),
        ("failed", "550-5.1.1", "the code is the provider&#x27;s own"),
    ],
)
def test_a_delivery_says_its_reason_in_a_sentence_beside_the_code(
    state: str, reason: str, sentence: str, client: Client
) -> None:
    delivery = make_delivery(make_event(), state=state)
    Delivery.objects.filter(pk=delivery.pk).update(reason=reason)
    html = client.get(page_url(delivery)).content.decode()
    assert reason in html
    assert sentence in html


def test_an_unknown_delivery_says_by_which_tag_the_provider_knows_it(client: Client) -> None:
    attempt = make_attempt(make_delivery(make_event(), state="unknown"), outcome="unknown")
    html = client.get(page_url(attempt.delivery)).content.decode()
    assert f"look it up there by the tag {attempt.tag}, and say what you found" in html


def test_a_delivery_that_went_well_gives_no_reason() -> None:
    assert reasons.sentence(Delivery(state="sent")) == ""


def test_an_event_shows_its_data_and_what_became_of_it_at_each_expected_consumer(
    client: Client,
) -> None:
    event = make_event(8)
    delivery = make_delivery(event, state="bounced")

    html = client.get(page_url(event)).content.decode()

    assert escape('"order_id": 8') in html
    assert re.search(r"<td>payments</td><td>—</td>", html)
    assert re.search(r"<td>email</td><td><span[^>]*>bounced</span></td>", html)
    assert f'href="{page_url(delivery)}"' in html


def test_a_job_shows_its_log_and_items_and_what_it_mended_leads_to_it(client: Client) -> None:
    event = make_event(7)
    delivery = make_delivery(event)
    job = Job.objects.create(kind="resend", actor="mira", reason="lost", rate=10)
    job.write("gone on with", by="ada")
    JobItem.objects.create(
        job=job,
        delivery=delivery,
        event=event,
        subject="order/7",
        outcome="refused",
        why="no_longer_true: the order was cancelled",
    )

    html = client.get(page_url(job)).content.decode()
    for shown in ("gone on with", "ada", "order/7", "the order was cancelled"):
        assert shown in html
    for row in (event, delivery):
        assert f'href="{page_url(job)}"' in client.get(page_url(row)).content.decode()
    for term in ("7", "order/7", delivery.pk, event.pk, job.pk):
        assert f'href="{page_url(job)}' in client.get(list_url(Job, f"?q={term}")).content.decode()
    assert page_url(job) not in operator(Delivery).get(page_url(delivery)).content.decode()


def test_a_failed_task_leads_to_its_delivery_and_its_event(client: Client) -> None:
    event = make_event(9)
    attempt = make_attempt(make_delivery(event, state="failed"))
    assert attempt.task_id is not None
    failed = make_failed_task(event, attempt.task_id)
    terms = ["9", "order/9", attempt.delivery_id, event.pk, failed.task_id]
    found = [list_url(type(failed), f"?q={term}") for term in terms]
    for url in [list_url(type(failed)), *found, page_url(failed)]:
        html = client.get(url).content.decode()
        assert f'href="{page_url(attempt.delivery)}"' in html, url
        assert f'href="{page_url(event)}"' in html, url
        assert "PermanentError" in html, url


def test_a_task_that_failed_before_there_was_an_attempt_still_leads_to_its_event(
    client: Client,
) -> None:
    event = make_event(10)
    failed = make_failed_task(event, uuid4())
    assert f'href="{page_url(event)}"' in client.get(page_url(failed)).content.decode()


@pytest.mark.parametrize(
    "task_args",
    [None, "", "null", "17", '"text"', '"{\\"a\\": 1}"', "\"('x', {'b': 2})\"", "[[", '"[["'],
)
def test_the_arguments_of_anybody_elses_task_are_shown_as_far_as_they_can_be_read(
    task_args: str | None, client: Client
) -> None:
    failed = make_failed_task(make_event(), uuid4())
    type(failed).objects.filter(pk=failed.pk).update(task_args=task_args, result=task_args)
    for url in (list_url(type(failed)), page_url(failed)):
        assert client.get(url).status_code == 200


def test_an_event_whose_type_has_changed_since_still_has_its_link(client: Client) -> None:
    event = make_event(12)
    event.data = {"a field of last year": 1}
    failed = make_failed_task(event, uuid4())
    assert f'href="{page_url(event)}"' in client.get(page_url(failed)).content.decode()


def test_failed_tasks_are_what_the_list_of_tasks_opens_on(client: Client) -> None:
    event = make_event(11)
    make_failed_task(event, uuid4())
    succeeded = make_failed_task(event, uuid4(), status="SUCCESS")
    assert page_url(succeeded) not in client.get(list_url(type(succeeded))).content.decode()
    everything = client.get(list_url(type(succeeded), "?status=all")).content.decode()
    assert page_url(succeeded) in everything


def test_a_hostile_body_is_shown_escaped(client: Client) -> None:
    letter = DeadLetter.objects.create(
        queue="email",
        message_id="m",
        body="<script>alert(1)</script>\0\u202e".encode(),
        reason="not_an_event",
    )
    html = client.get(page_url(letter)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x00\\u202e" in html
    assert "<script>alert" not in html


def test_groups_are_offered_only_where_a_project_uses_them(client: Client) -> None:
    index = reverse("admin:index")
    assert "Group results" not in client.get(index).content.decode()
    make_everything()
    assert "Group results" in client.get(index).content.decode()
