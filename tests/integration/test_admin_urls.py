"""Every URL of the site, those of pages to come too: nobody gets in by one that was forgotten."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from notifications import permissions
from notifications.admin.moves import MovingAdmin
from notifications.console import pages
from notifications.models import Announcement, Template, TemplateVersion
from orders_site.inventory.models import StockItem
from tests.api import PLENTY, a_caller, an_order_for
from tests.integration.operator_rows import list_url, make_everything, operator
from tests.shop import a_customer, an_order
from tests.urls import Url, every_url

pytestmark = pytest.mark.django_db

METRICS = "notifications-metrics:metrics"
"""By a token of its own; without METRICS_TOKEN there is no such page."""

PUBLIC = {
    "/",  # which leads to the admin
    "admin:login",
    "notifications:unsubscribe",  # the signed link is the proof (decision 0032)
    "notifications:preferences",
    "notifications:receipts-meta",  # the provider's signature is the proof (decision 0031)
    "notifications:receipts-twilio",
}
"""What asks for no login and no token."""

FOR_ALL_STAFF = {
    *("admin:index", "admin:logout", "admin:password_change", "admin:password_change_done"),
    *("admin:jsi18n", "api:openapi-json", "api:openapi-view"),
}
DJANGOS = ("history", "delete", "change")
UNTOLD = {"notifications_auditentry", "notifications_loginfailure", "api_allowance"}
"""Tables that say who tried what; not what is kept."""

CHANGES = {
    "reason": "x",
    "comment": "x",
    "note": "x",
    "why": "x",
    "name": "email",
    "rate": "1/s",
    "confirm": "1",
    "confirmed": "1",
    "step": "run",
    "kind": "resend",
    "state": "sent",
    "number": "1",
    "count": "1",
    "post": "yes",
    "text": "x",
    "address": "x@example.org",
    "wanted": "on",
    "List-Unsubscribe": "One-Click",
    "locale": "de",
}
"""What the forms of the pages may be about: whatever a page takes, it is given."""

BUTTONS = {
    "reveal",
    *(
        move.name
        for each in admin.site._registry.values()
        if isinstance(each, MovingAdmin)
        for move in each.moves
    ),
}

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def rows() -> dict[type[Model], Model]:
    """One row for each model that has some, by its model."""
    template = Template.objects.create(event_type="order.created", channel="email", locale="en")
    TemplateVersion.objects.create(template=template, number=1, parts={"text": "x"}, author="mira")
    announcement = Announcement.objects.create(
        event_type="shop.news", version=1, audience="customers", channels=["email"], estimate=1
    )
    caller = a_caller()
    order = an_order()
    StockItem.objects.create(product=order.lines.get().product, on_hand=5)
    made = [*make_everything(), template, announcement, order, order.customer]
    assert caller.name
    return {type(row): row for row in made}


@pytest.fixture
def urls(rows: dict[type[Model], Model]) -> list[Url]:
    from orders_site.orders.models import Order

    return every_url(rows.values(), order_id=rows[Order].pk)


def of_group(name: str) -> Client:
    user = User.objects.create_user(f"{name}-{uuid4()}", is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


def everything_kept() -> dict[str, str]:
    """Each table by a hash of all its rows; sessions are nobody's data."""
    tables = sorted(
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label != "sessions" and model._meta.db_table not in UNTOLD
    )
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', md5(string_agg(row::text, ';' ORDER BY row::text)) "  # noqa: S608
                f'FROM "{table}" AS row'
                for table in tables
            )
        )
        return dict(cursor.fetchall())


def actions(url: Url) -> list[str]:
    """What its form may ask for by the name "action"."""
    if url.page == "edit":
        return ["publish", "save", "drop", "take_back", "test"]
    if url.page != "changelist":
        return ["confirm"]
    of = next(each for each in admin.site._registry.values() if url.path == list_url(each.model))
    return ["delete_selected", *(str(action) for action in of.actions or ())]


def changed(before: dict[str, str]) -> list[str]:
    return [table for table, rows in everything_kept().items() if rows != before[table]]


def test_the_walk_finds_every_kind_of_page(urls: list[Url]) -> None:
    names = {url.name for url in urls}
    assert names >= PUBLIC | FOR_ALL_STAFF
    assert {"lift", "rotate", "cancel", "again", "edit", "version", "reveal"} <= {
        url.page for url in urls
    }
    assert {f"admin:{page.url_name}" for page in pages.all_pages()} <= names
    assert len([name for name in names if name.startswith("api:")]) > 5


def test_an_anonymous_visitor_gets_in_by_no_url(urls: list[Url]) -> None:
    before = everything_kept()
    client, login = Client(), reverse("admin:login")
    for url in urls:
        if url.name in PUBLIC:
            continue
        for method in METHODS if url.name.startswith("api:") else ("get", "post"):
            answer = getattr(client, method)(url.path, CHANGES if method == "post" else None)
            if answer.status_code == 302:
                led = (login, reverse("admin:index")) if url.name == "admin:logout" else login
                assert answer["Location"].startswith(led), (url, answer["Location"])
            else:
                assert url.name.startswith(("api", METRICS)), (url, method, answer.status_code)
                nowhere = (404,) if url.name in ("api:api-root", METRICS) else ()
                refused = answer.status_code in (401, 405, *nowhere)
                assert refused, (url, method, answer.status_code)
    assert changed(before) == []


def test_staff_without_a_permission_get_nowhere_by_any_url(urls: list[Url]) -> None:
    client = operator()
    before = everything_kept()
    for url in urls:
        if url.name in PUBLIC | FOR_ALL_STAFF:
            continue
        for answer in (client.get(url.path), client.post(url.path, {**CHANGES, "action": "save"})):
            refused = answer.status_code in (401, 403, 404, 405)
            # To the page of a row, which is guarded; or to the index, where there is no such row.
            leads_on = answer.status_code == 302 and (not url.is_named or url.page in DJANGOS)
            assert refused or leads_on, (url, answer.status_code)
    assert changed(before) == []


def test_a_reader_changes_nothing_by_any_url(urls: list[Url]) -> None:
    """The right to view is not the right to press: each button has one of its own."""
    client = of_group(permissions.READER)
    before = everything_kept()
    for url in urls:
        if url.name in PUBLIC | {"admin:logout"}:
            continue
        for action in actions(url):
            about = {**CHANGES, "action": action, "_selected_action": "1"}
            answer = client.post(url.path, about)
            assert answer.status_code < 500, url
    assert changed(before) == []


@pytest.mark.parametrize("group", [permissions.READER, permissions.OPERATOR])
def test_a_button_and_a_page_ask_for_their_own_permission(group: str, urls: list[Url]) -> None:
    held = permissions.table()[group]
    client = of_group(group)
    of = {url.name: url.path for url in urls}
    barred = [
        (f"admin:{each._url_name(move)}", "post")
        for each in admin.site._registry.values()
        if isinstance(each, MovingAdmin)
        for move in each.moves
        if f"{each.opts.app_label}.{move.permission}" not in held
    ]
    barred += [
        (f"admin:{page.url_name}", method)
        for page in pages.all_pages()
        if page.permission not in held
        for method in ("get", "post")
    ]
    assert barred
    for name, method in barred:
        assert getattr(client, method)(of[name], {"reason": "x"}).status_code == 403, name


def test_nothing_is_done_by_following_a_link_or_by_another_site_s_form(urls: list[Url]) -> None:
    user = User.objects.create_superuser(f"root-{uuid4()}")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    before = everything_kept()
    for url in urls:
        if url.name in PUBLIC - {"admin:login"}:
            continue
        status = client.post(url.path, CHANGES).status_code
        token_asked = url.name.startswith("api") and status == 401
        assert status in (403, 404, 405) or token_asked, (url, status)
        if url.page in BUTTONS:
            assert client.get(url.path).status_code == 405, url
    assert changed(before) == []


def test_an_api_client_reaches_nobody_else_s_order_and_no_announcement(urls: list[Url]) -> None:
    """By any method of any operation, with what would be a right body of another's."""
    caller = a_caller(rate=PLENTY)
    before = everything_kept()
    body = {"carrier": "x", "tracking_code": "x", "reason": "customer_request", "amount": 1}
    headers = {"Authorization": f"Bearer {caller.token}", "Idempotency-Key": str(uuid4())}
    for url in urls:
        if not url.name.startswith("api:") or url.name in FOR_ALL_STAFF:
            continue
        for method in METHODS:
            ask = getattr(caller.http, method)
            given = {} if method == "get" else {"content_type": "application/json", "data": body}
            answer = ask(url.path, headers=headers, **given)
            own_list = method == "get" and answer.status_code == 200 and not answer.json()["orders"]
            assert own_list or answer.status_code in (403, 404, 405, 409, 422), (
                url,
                method,
                answer.status_code,
            )
    assert set(changed(before)) <= {"api_keptanswer"}


def test_no_client_is_an_operator_and_no_operator_a_client(urls: list[Url]) -> None:
    """A token opens no page, a session no operation."""
    caller = a_caller()
    assert caller.get(reverse("admin:index")).status_code == 302
    operator_s = Client()
    operator_s.force_login(User.objects.create_superuser("root"))
    placed = operator_s.post(
        "/api/orders", an_order_for(a_customer()), content_type="application/json"
    )
    assert placed.status_code == 401
