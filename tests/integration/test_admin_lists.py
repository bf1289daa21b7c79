"""The operators' lists: what a search finds, how pages follow one another, what they cost."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult
from pytest_django.fixtures import Settings

from notifications import schedule
from notifications.models import (
    Attempt,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    ScheduledEvent,
)
from orders_site.events import OrderShipped
from tests.integration.operator_rows import (
    EMAIL,
    MODELS,
    PHONE,
    list_url,
    make_attempt,
    make_delivery,
    make_event,
    make_everything,
    operator,
    page_url,
)
from tests.plans import many_deliveries, plan_of

pytestmark = pytest.mark.django_db
PAGE = 50


@pytest.fixture
def client() -> Client:
    return operator(*MODELS, Attempt)


def shown(client: Client, url: str) -> list[str]:
    """The keys of the rows on a list page, in order."""
    return [str(row.pk) for row in client.get(url).context["cl"].result_list]


def link(client: Client, url: str, relation: str) -> str:
    html = client.get(url).content.decode()
    found = re.search(rf'<a href="([^"]+)" rel="{relation}">', html)
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.parametrize(
    "term",
    [
        "7",
        "%237",
        "order/7",
        "customer/43",
        "{delivery.pk}",
        "{delivery.pk}.0.1",
        "{delivery.event_id}",
        "{delivery.provider_message_id}",
        " order/7 ",
    ],
)
def test_a_search_finds_exactly_the_delivery_that_it_names(term: str, client: Client) -> None:
    delivery = make_delivery(make_event(7), recipient="customer/43")
    for number in (1, 70, 77):
        make_delivery(make_event(number), recipient=f"customer/{number}")
    query = f"?q={term.format(delivery=delivery)}"
    assert shown(client, list_url(Delivery, query)) == [str(delivery.pk)]


@pytest.mark.parametrize("model", [Delivery, Event, Dispatch, DeadLetter, Handled, TaskResult])
def test_every_search_takes_a_number_with_the_hash_sign_that_the_shop_writes_before_it(
    model: type[Model], client: Client
) -> None:
    make_everything()
    found = []
    for number in (1, 99):
        of_order = shown(client, list_url(model, f"?q=order/{number}"))
        assert shown(client, list_url(model, f"?q=%23{number}")) == of_order
        found += of_order
    assert found


@pytest.mark.parametrize("term", ["x" * 5000, "\N{PILE OF POO}" * 1000])
def test_what_is_too_long_for_a_page_s_address_is_not_searched_for(
    term: str, client: Client
) -> None:
    answer = client.post(f"{list_url(Delivery)}search/?state=failed", {"q": term}, follow=True)
    ((address, _),) = answer.redirect_chain
    assert len(address) < 200
    assert "That is too long to search for." in answer.content.decode()


@pytest.mark.parametrize("query", ["?state=failed&since=yestrday", "?p=99999999"])
def test_a_filter_that_cannot_be_read_is_not_passed_over_in_silence(
    query: str, client: Client
) -> None:
    make_delivery(make_event())
    page = client.get(list_url(Delivery, query), follow=True).content.decode()
    assert "The filter could not be read." in page
    assert "The filter could not be read." not in client.get(list_url(Delivery)).content.decode()


def test_a_search_for_a_hash_sign_alone_finds_nothing(client: Client) -> None:
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="not_an_event")
    assert shown(client, list_url(DeadLetter, "?q=%23")) == []


def test_a_person_is_found_with_their_devices_and_without_anybody_else(client: Client) -> None:
    for number in (1, 2):
        event = make_event(number)
        make_delivery(event, recipient="customer/42")
        make_delivery(event, recipient="customer/42/device/7", channel="push")
        make_delivery(event, recipient="customer/420", channel="sms")
        make_delivery(event, recipient="customer/420/device/8", channel="push")
    html = client.get(list_url(Delivery)).content.decode()
    assert html.count('href="/admin/notifications/delivery/?q=customer%2F42"') == 4

    found = client.get(list_url(Delivery, "?q=customer/42")).context["cl"].result_list

    told = [row.recipient for row in found]
    assert sorted(told) == ["customer/42"] * 2 + ["customer/42/device/7"] * 2
    assert "finds only what was sent there" in html


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (
            Delivery,
            "State, age, next try|Event, order|Recipient|Channel, tries|Why, provider&#x27;s id",
        ),
        (DeadLetter, "State|Reason, error|Queue, event type|Order|Age|Attempts"),
    ],
)
def test_what_is_looked_at_most_fits_beside_sidebar_and_filter_with_few_columns(
    model: type[Model], columns: str, client: Client
) -> None:
    make_everything()
    html = client.get(list_url(model)).content.decode()
    titles = re.findall(
        r'<th scope="col" class="[^"]*column-\w+">\s*<div[^>]*>\s*<span>([^<]+)', html
    )
    assert titles == columns.split("|")


@pytest.mark.parametrize(
    ("model", "sentence", "others"),
    [
        (Dispatch, "Nothing waits to be published.", ["All", "Claimed", "Published"]),
        (TaskResult, "No task has failed.", ["All", "Retrying", "Succeeded"]),
        (DeadLetter, "No dead letter kept here is open.", ["All", "Redriven", "Discarded"]),
    ],
)
def test_an_empty_list_says_what_it_was_opened_on_and_leads_to_the_rest(
    model: type[Model], sentence: str, others: list[str], client: Client
) -> None:
    def pages(query: str = "") -> str:
        html = client.get(list_url(model, query)).content.decode()
        return html[html.index('<nav class="paginator') :].partition("</nav>")[0]

    assert sentence in pages()
    assert re.findall(r'<a href="\?[^"]+">([^<]+)</a>', pages()) == others
    assert sentence not in pages("?q=17")
    assert sentence not in pages("?status=all" if model is TaskResult else "?state=all")
    make_everything()
    assert sentence not in pages()


def test_a_dead_letter_is_told_in_its_list_by_its_error_and_leads_to_its_page(
    client: Client,
) -> None:
    letter = DeadLetter.objects.create(
        queue="email", message_id="m", body=b"", reason="MessageRejected", error=f"not {EMAIL}"
    )
    html = client.get(list_url(DeadLetter)).content.decode()
    assert f'<a href="{page_url(letter)}">MessageRejected</a>' in html
    assert "not g…@example.org" in html


def test_the_dead_letters_say_where_the_others_are(client: Client) -> None:
    html = client.get(list_url(DeadLetter)).content.decode()
    assert "while no relay runs they wait there" in html
    assert f'The failures are under <a href="{list_url(TaskResult)}">Task results</a>' in html
    html = operator(DeadLetter).get(list_url(DeadLetter)).content.decode()
    assert "The failures are under Task results; " in html
    assert f'<a href="{reverse("admin:console_failures")}">Failure groups</a>' in html


@pytest.mark.parametrize(
    ("term", "channel"),
    [
        (EMAIL, "email"),
        (EMAIL.upper(), "email"),
        (PHONE.replace("+", "%2B"), "sms"),
        ("%2B49 170 1234-567", "sms"),
    ],
)
def test_an_address_finds_its_deliveries_by_their_hash(
    term: str, channel: str, client: Client
) -> None:
    delivery = make_delivery(make_event(), channel=channel)
    make_delivery(make_event(2), channel="push")
    assert shown(client, list_url(Delivery, f"?q={term}")) == [str(delivery.pk)]


def test_an_address_is_found_under_the_key_it_was_hashed_with(
    client: Client, settings: Settings
) -> None:
    delivery = make_delivery(make_event())
    keys = settings.NOTIFICATIONS["ADDRESS_HASH_KEYS"]
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "ADDRESS_HASH_KEYS": {**keys, 2: "the next key"}
    }
    assert shown(client, list_url(Delivery, f"?q={EMAIL}")) == [str(delivery.pk)]


def test_a_search_looks_beyond_what_the_list_opens_on(client: Client) -> None:
    published = make_event(5).dispatches.get()
    Dispatch.objects.filter(pk=published.pk).update(state="published")
    assert shown(client, list_url(Dispatch)) == []
    assert shown(client, list_url(Dispatch, "?q=5")) == [str(published.pk)]


def test_waiting_dispatches_come_in_the_order_in_which_they_are_due(client: Client) -> None:
    due = {name: make_event(number).dispatches.get() for number, name in enumerate("abc")}
    for name, minutes in {"a": 3, "b": 1, "c": 2}.items():
        moment = timezone.now() + timedelta(minutes=minutes)
        Dispatch.objects.filter(pk=due[name].pk).update(available_at=moment)
    assert shown(client, list_url(Dispatch)) == [str(due[name].pk) for name in "bca"]


def test_what_was_called_off_is_shown_with_when_it_would_have_been_due(client: Client) -> None:
    at = timezone.now() + timedelta(days=2, minutes=1)
    schedule.add(OrderShipped(order_id=17), at=at, key="second reminder")
    schedule.call_off("order/17")
    page = client.get(list_url(ScheduledEvent, "?state=called_off")).content.decode()
    assert ">called off</span>" in page
    assert "second reminder" in page
    assert f"{timezone.localtime(at):%Y-%m-%d %H:%M}" in page
    assert re.search(r">in 2\sdays</time>", page)


def test_the_pages_show_every_row_once_and_lead_back_the_same_way(client: Client) -> None:
    event = make_event()
    same_moment = timezone.now()
    for number in range(2 * PAGE + 20):
        make_delivery(event, recipient=f"customer/{number}")
    Delivery.objects.update(created_at=same_moment)
    newest_first = [
        str(key) for key in Delivery.objects.order_by("-id").values_list("pk", flat=True)
    ]

    forward, url = [], list_url(Delivery)
    while url:
        forward.append(shown(client, url))
        last, url = url, link(client, url, "next")
        url = url and list_url(Delivery, url)
    assert [len(rows) for rows in forward] == [PAGE, PAGE, 20]
    assert [key for rows in forward for key in rows] == newest_first

    middle = list_url(Delivery, link(client, last, "prev"))
    assert shown(client, middle) == forward[1]
    first = list_url(Delivery, link(client, middle, "prev"))
    assert shown(client, first) == forward[0]
    assert link(client, first, "prev") == ""


@pytest.mark.parametrize(
    "cursor", ["after:", "after:x~y", "sideways:1", "before:1", "7", "after:~~~", "after:2026~1"]
)
def test_a_page_address_that_makes_no_sense_leads_to_the_first_page(
    cursor: str, client: Client
) -> None:
    make_delivery(make_event())
    response = client.get(list_url(Delivery), {"p": cursor}, follow=True)
    assert response.status_code == 200
    assert response.redirect_chain


@pytest.mark.parametrize("page", ["change", "history"])
def test_a_key_that_no_row_can_have_is_of_no_row(page: str, client: Client) -> None:
    for model in MODELS:
        answer = client.get(list_url(model, f"%00/{page}/"))
        assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index")), model


def test_a_wish_for_another_order_is_ignored(client: Client) -> None:
    make_everything()
    usual = shown(client, list_url(Delivery))
    assert shown(client, list_url(Delivery, "?o=-5.2")) == usual


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(
    model: type[Model], client: Client
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(list_url(model, "?state=all" if model is Dispatch else ""))
        return len(captured)

    make_everything()
    few = queries()
    for number in range(100, 130):
        make_attempt(make_delivery(make_event(number)))
    assert queries() == few


def test_no_view_of_the_deliveries_reads_the_whole_table(client: Client) -> None:
    many_deliveries(channels=("push", "email"), states=("failed", *["sent"] * 99))
    filters = ["state=failed", "state=failed&channel=email", "state=sent", "state=bounced"]
    filters += ["channel=push", "channel=sms", "event_type=order.created", "within=1h", "cause=f"]
    terms = ["123", "order/123", "customer/42", EMAIL, "0193f5bc-0000-7000-8000-000000000000"]
    pages = ["", link(client, list_url(Delivery), "next")]
    for query in [*pages, *(f"?{name}" for name in filters), *(f"?q={term}" for term in terms)]:
        with CaptureQueriesContext(connection) as captured:
            client.get(list_url(Delivery, query))
        reads = [sql for entry in captured if "notifications_delivery" in (sql := entry["sql"])]
        assert reads, query
        for sql in reads:
            assert "Seq Scan" not in plan_of(sql), (query, plan_of(sql))
