"""The list of deliveries under its filters: what it shows, what it costs, what bulk work takes."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.admin.changelist import KeysetChangeList
from notifications.models import Delivery, Job
from notifications.undertakings import undertaking, work_of
from tests.integration.operator_rows import (
    EMAIL,
    PHONE,
    TOKEN,
    list_url,
    make_delivery,
    make_event,
    operator,
)
from tests.plans import analyze, as_with_many_more, emptied, many_deliveries

pytestmark = pytest.mark.django_db

NOBODY = "01890000-0000-7000-8000-000000000000"
MAY = ("resend_delivery", "discard_delivery", "run_bulk_job")


def staff(*codenames: str) -> Client:
    """Somebody who may view deliveries and jobs, and this."""
    client = operator(Delivery, Job)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


@pytest.fixture
def client() -> Client:
    return staff(*MAY)


@pytest.fixture
def deliveries() -> list[Delivery]:
    """Some of every state, over several channels, of several ages."""
    made = []
    channels = ["email", "sms", "push"]
    for number, state in enumerate(Delivery.State.values * 2):
        event = make_event(number, ["order.created", "order.shipped"][number % 2])
        delivery = make_delivery(
            event, state=state, channel=channels[number % 3], recipient=f"customer/{number % 5}"
        )
        age = timedelta(minutes=20 * number)
        Delivery.objects.filter(pk=delivery.pk).update(
            created_at=timezone.now() - age,
            fingerprint=["c0ffee", ""][number % 2] if state in ("failed", "unknown") else "",
        )
        made.append(delivery)
    return made


def shown(client: Client, query: str) -> KeysetChangeList:
    response = client.get(list_url(Delivery, query))
    assert response.status_code == 200, query
    found: KeysetChangeList = response.context["cl"]
    return found


def keys(rows: object) -> list[str]:
    return [str(row.pk) for row in rows]  # type: ignore[attr-defined]


STATES = ["", "state=failed", "state=trouble", "state=sent,unknown", "state=complained"]
CHANNELS = ["", "channel=email", "channel=sms,push", "channel=webhook"]
TYPES = ["", "event_type=order.shipped"]
TIMES = ["", "within=1h", "since=3h&until=30m"]
CAUSES = ["", "cause=c0ffee", "cause=-,bad0"]
EVERY = ["&".join(filter(None, each)) for each in product(STATES, CHANNELS, TYPES, TIMES, CAUSES)][
    ::7
]


def test_each_filter_shows_exactly_what_it_says_newest_first(
    client: Client, deliveries: list[Delivery]
) -> None:
    """The long way round gives the same rows in the same order as a plain query."""
    for query in EVERY:
        changelist = shown(client, f"?{query}")
        assert keys(changelist.result_list) == keys(changelist.queryset), query


def test_bulk_work_takes_exactly_the_rows_that_the_list_shows(
    client: Client, deliveries: list[Delivery]
) -> None:
    one = deliveries[3]
    searches = ["order/3", "3", "%23x", "customer/2", EMAIL, PHONE.replace("+", "%2B"), TOKEN]
    searches += [str(one.pk), f"{one.pk}.0.1", str(one.event_id), one.provider_message_id]
    searched = [f"q={term}{state}" for term in searches for state in ("", "&state=failed")]
    for query in [*filter(lambda each: "state" in each, EVERY), *searched]:
        changelist = shown(client, f"?{query}")
        for choice in changelist.choices:
            if "complained" in query and "cause" in query:  # nothing: it is no failure
                assert not choice["all_url"]
                continue
            asked = QueryDict(urlsplit(choice["all_url"]).query, mutable=True)
            assert asked.pop("kind") == [choice["kind"]]
            wanted = undertaking(choice["kind"]).read(asked)
            meant = work_of(choice["kind"]).found(wanted)
            assert set(keys(meant)) == set(keys(changelist.result_list)), query
            assert not [each for each in (EMAIL, PHONE, TOKEN) if each in str(wanted)]


def test_all_that_anybody_was_told_is_no_selection(client: Client) -> None:
    make_delivery(make_event())
    html = client.get(list_url(Delivery, "?channel=email")).content.decode()
    assert "Choose a state, or search" in html
    assert "console/bulk" not in html


def test_the_selected_rows_lead_to_the_page_that_asks(
    client: Client, deliveries: list[Delivery]
) -> None:
    chosen = sorted(keys(deliveries[:2]))
    for kind in ("resend", "discard_deliveries"):
        response = client.post(
            list_url(Delivery, "?channel=email"),
            {"action": kind, "index": "0", "_selected_action": chosen},
        )
        assert response.status_code == 302
        address = urlsplit(response["Location"])
        assert address.path == "/admin/console/bulk/"
        assert parse_qs(address.query) == {"kind": [kind], "delivery": chosen}


@pytest.mark.parametrize(
    "posted",
    [
        {"action": "resend", "index": "0", "_selected_action": "nonsense"},
        {"action": "resend", "index": "x", "_selected_action": "\0"},
        {"action": "resend", "index": "0"},
        {"action": "no_such_thing", "index": "0", "_selected_action": ["1"]},
        {"action": "resend", "index": "0", "_selected_action": [NOBODY], "select_across": "1"},
        {"index": "7", "_selected_action": [str(make_delivery.__hash__())]},
    ],
)
def test_a_selection_that_makes_no_sense_leads_back_to_the_list(
    posted: dict[str, str], client: Client
) -> None:
    response = client.post(list_url(Delivery), posted)
    assert response.status_code == 302
    assert "console" not in response["Location"]


@pytest.mark.parametrize("missing", MAY)
def test_a_button_that_one_may_not_press_says_why_and_does_nothing(missing: str) -> None:
    client = staff(*set(MAY) - {missing})
    delivery = make_delivery(make_event(), state="failed")
    html = client.get(list_url(Delivery, "?state=failed")).content.decode()
    assert "You lack the permission" in html
    kind = "discard_deliveries" if missing == "discard_delivery" else "resend"
    assert f"console/bulk/?kind={kind}" not in html

    posted = {"action": kind, "index": "0", "_selected_action": [str(delivery.pk)]}
    response = client.post(list_url(Delivery), posted)

    assert "console" not in response.headers.get("Location", "")


def test_what_nothing_matches_is_found_out_without_reading_the_rows(client: Client) -> None:
    emptied(Delivery)
    many_deliveries(channels=("email", "push"), states=("delivered", "sent"))
    as_with_many_more()
    for query in ("?state=delivered&channel=push", "?event_type=order.shipped", "?channel=sms"):
        with CaptureQueriesContext(connection) as captured:
            assert shown(client, query).result_count == 0
        [sql] = [each["sql"] for each in captured if "WITH RECURSIVE" in each["sql"]]
        assert blocks_read(sql) < 100, query


def test_the_few_of_a_cause_are_found_without_reading_the_others(client: Client) -> None:
    """Be they the oldest of all: by the order of the list they come last."""
    emptied(Delivery)
    many_deliveries(channels=("email", "push"), states=("delivered", "sent", "failed"))
    failed = Delivery.objects.filter(state="failed").order_by("created_at")
    oldest = list(failed.values_list("pk", flat=True)[:3])
    Delivery.objects.filter(pk__in=oldest).update(fingerprint="c0ffee")
    analyze(Delivery)
    as_with_many_more()
    for query in ("?cause=c0ffee", "?cause=c0ffee&state=failed", "?cause=bad0&within=1h"):
        with CaptureQueriesContext(connection) as captured:
            assert shown(client, query).result_count == 3 * ("c0ffee" in query)
        [sql] = [each["sql"] for each in captured if "MATERIALIZED" in each["sql"]]
        assert blocks_read(sql) < 100, query


def blocks_read(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        [[[plan]]] = cursor.fetchall()
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


def test_a_list_that_takes_too_long_is_called_off_and_says_what_to_do(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeysetChangeList, "seconds", 0.1)
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**known) as other:
        other.execute("LOCK TABLE notifications_delivery")
        html = client.get(list_url(Delivery)).content.decode()

    assert "was called off. Narrow it" in html
