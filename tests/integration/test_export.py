"""A list as CSV: what is in it, who may have it, and what is written down about it."""

from __future__ import annotations

import csv
import gc
import io
import sys
from typing import Any

import httpx
import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from notifications.admin import download, export
from notifications.admin.facts import FactsAdmin
from notifications.local.ports import free_port
from notifications.models import AuditEntry, DeadLetter, Delivery
from tests.conftest import Start
from tests.integration.operator_rows import (
    ADDRESSES,
    EMAIL,
    MODELS,
    list_url,
    make_delivery,
    make_event,
    make_everything,
    operator,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return exporter()


def exporter() -> Client:
    """Somebody who may view everything, and export it."""
    client = operator(*MODELS)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(Permission.objects.get(codename="export_rows"))
    return client


def export_url(model: type[Any], query: str = "") -> str:
    return list_url(model) + "export/" + query


def exported(client: Client, model: type[Any] = Delivery, query: str = "") -> list[dict[str, str]]:
    response = client.post(export_url(model, query))
    assert response.status_code == 200, response
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_every_list_is_exported_without_an_address_and_with_a_line_for_each_row(
    client: Client,
) -> None:
    make_everything()
    for page in [page for page in admin.site._registry.values() if isinstance(page, FactsAdmin)]:
        known = {*dir(page), *dir(page.model)}
        assert known.issuperset(page.export_columns), page
    for model in MODELS:
        every = "?state=all" if "state" in {field.name for field in model._meta.fields} else ""
        rows = exported(client, model, every)
        assert rows, model
        assert not [row for row in rows if None in row], model
        text = str(rows)
        assert not [address for address in ADDRESSES.values() if address in text], model
    assert len(exported(client)) == Delivery.objects.count()


def test_a_delivery_is_exported_with_exact_times_and_masked(client: Client) -> None:
    delivery = make_delivery(make_event(7), state="failed")

    [row] = exported(client)

    assert row["id"] == str(delivery.pk)
    assert (row["state"], row["channel"], row["subject"]) == ("failed", "email", "order/7")
    assert row["masked_address"] == "g…@example.org"
    assert row["said"] == "refused: g…@example.org is not known here"
    assert row["provider_message_id"] == delivery.provider_message_id
    local = timezone.localtime(delivery.created_at or Delivery.objects.get().created_at)
    assert row["created_at"] == local.isoformat(timespec="milliseconds")
    assert row["sent_at"] == ""


def test_a_dead_letter_is_exported_with_what_its_list_puts_together(client: Client) -> None:
    letter = DeadLetter.objects.create(
        queue="email", message_id="m", body=b"", reason="refused", error=f"not {EMAIL}"
    )

    [row] = exported(client, DeadLetter)

    assert (row["id"], row["queue"], row["reason"]) == (str(letter.pk), "email", "refused")
    assert row["error"] == "not g…@example.org"


def test_the_lists_filters_and_search_are_those_of_the_file(client: Client) -> None:
    for number, state in enumerate(("failed", "sent", "unknown"), start=1):
        make_delivery(make_event(number), state=state)

    assert {row["state"] for row in exported(client, query="?state=trouble")} == {
        "failed",
        "unknown",
    }
    assert [row["subject"] for row in exported(client, query="?q=order/2")] == ["order/2"]
    assert exported(client, query="?state=failed&channel=sms") == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("\rx", "'x"),
        (' "=cmd|x', "'\"=cmd|x"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("a\nb\0c", "a bc"),
        (-2, "-2"),
        (True, "true"),
        (None, ""),
        ("—", ""),
        (f"no {EMAIL}", "no g…@example.org"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_is_a_formula(value: object, told: str) -> None:
    assert export.cell(value) == told


def test_a_key_stands_as_it_is_though_it_looks_like_a_phone_number() -> None:
    assert export.cell("491701234567", is_key=True) == "491701234567"
    assert export.cell("491701234567") != "491701234567"


@pytest.mark.parametrize("reference", ["order/1234567890", "customer/491701234567/device/7"])
def test_so_does_a_reference(reference: str) -> None:
    assert export.cell(reference) == reference
    assert export.cell(f"{reference}, said {EMAIL}") != f"{reference}, said {EMAIL}"


def test_what_an_event_says_is_no_formula_in_the_file(client: Client) -> None:
    delivery = make_delivery(make_event())
    Delivery.objects.filter(pk=delivery.pk).update(last_error='=HYPERLINK("http://evil")')
    [row] = exported(client)
    assert row["said"] == '\'=HYPERLINK("http://evil")'


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 2)


@pytest.mark.usefixtures("pages_of_two")
def test_it_is_streamed_a_page_at_a_time_and_cut_with_a_word_about_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        make_delivery(make_event(number))
    monkeypatch.setattr(export, "MOST", 5)

    response = client.post(export_url(Delivery))
    assert isinstance(response, StreamingHttpResponse)
    pieces = list(response)

    assert [piece.count(b"\r\n") for piece in pieces] == [1, 2, 2, 2]
    assert (
        pieces[-1].decode().endswith('"# Cut after 5 rows, there are more: narrow the filter."\r\n')
    )
    ended = AuditEntry.objects.get(action="export.csv")
    assert (ended.count, ended.after["ended"]) == (5, "cut")


def test_who_what_and_how_many_stand_in_the_audit_without_the_address_that_was_searched(
    client: Client,
) -> None:
    make_delivery(make_event())

    exported(client, query=f"?q={EMAIL}&state=sent")

    begun, ended = AuditEntry.objects.filter(action__startswith="export").order_by("id")
    assert (begun.action, ended.action) == ("export.begin", "export.csv")
    assert ended.actor.startswith("operator-")
    assert (ended.door, ended.target, ended.count) == ("page", "notifications.delivery", 1)
    assert ended.after["ended"] == "complete"
    assert ended.after["filter"]["state"] == "sent"
    assert EMAIL not in str(ended.after)


@pytest.mark.usefixtures("pages_of_two")
def test_a_download_that_is_broken_off_is_in_the_audit_with_what_was_read(client: Client) -> None:
    for number in range(5):
        make_delivery(make_event(number))
    response = client.post(export_url(Delivery))
    pieces = vars(response)["_iterator"]  # the client's own, which closes the response
    next(pieces), next(pieces)

    pieces.close()

    ended = AuditEntry.objects.get(action="export.csv")
    assert (ended.count, ended.after["ended"]) == (2, "interrupted")


def test_a_second_one_of_the_same_person_is_refused_while_the_first_is_read(client: Client) -> None:
    make_delivery(make_event())
    colleague = exporter()
    first = client.post(export_url(Delivery))

    refused = client.post(export_url(Delivery, "?state=failed"))

    assert refused["Location"] == list_url(Delivery, "?state=failed")
    assert "An export of yours is still under way." in client.get(refused["Location"]).text
    entry = AuditEntry.objects.get(action="export.refused")
    assert (entry.actor, entry.door, entry.target) == (
        User.objects.get(pk=client.session["_auth_user_id"]).username,
        "page",
        "notifications.delivery",
    )
    assert exported(colleague)
    assert b"".join(first)
    assert exported(client)


def test_one_that_never_began_or_never_left_keeps_nobody_from_the_next(client: Client) -> None:
    for _ in range(2):
        assert client.post(export_url(Delivery, "?since=nonsense")).status_code == 302
    kept = download.begin(by="ada")
    assert download.begin(by="ada") is None
    del kept
    gc.collect()
    assert download.begin(by="ada")


@pytest.mark.django_db(transaction=True)
def test_whoever_does_not_read_holds_one_thread_and_lets_it_go_by_leaving(
    client: Client, start: Start
) -> None:
    long_words(rows=500)
    port = free_port()
    start(
        [sys.executable, "-m", "gunicorn", "orders_site.wsgi"],
        name="web",
        ready="Booting worker",
        WEB_BIND=f"127.0.0.1:{port}",
        WEB_THREADS="2",
    )
    cookies = {"sessionid": client.cookies["sessionid"].value}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=20) as browser:
        browser.get(list_url(Delivery))
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]

        def status() -> int:
            with browser.stream("POST", export_url(Delivery)) as answer:
                return answer.status_code

        with browser.stream("POST", export_url(Delivery)) as unread:
            assert unread.status_code == 200
            assert [status() for _ in range(3)] == [302] * 3
            assert browser.get(list_url(Delivery)).status_code == 200
        wait_for(lambda: status() == 200, within=30, what="the next export to begin")


def long_words(*, rows: int) -> None:
    """More than the sockets of two processes hold between them."""
    event = make_event()
    for number in range(rows):
        make_delivery(event, state="failed", recipient=f"customer/{number}")
    Delivery.objects.update(last_error="no such mailbox " * 1_000)


def test_who_may_not_export_sees_why_and_gets_nothing() -> None:
    make_delivery(make_event())
    reader = operator(Delivery)

    html = reader.get(list_url(Delivery)).content.decode()

    assert "You lack the permission “Can export lists as CSV”." in html
    assert reader.post(export_url(Delivery)).status_code == 403
    assert not AuditEntry.objects.filter(action__startswith="export").exists()


def test_the_permission_to_export_shows_no_list_that_one_may_not_view(client: Client) -> None:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.remove(Permission.objects.get(codename="view_delivery"))
    assert client.post(export_url(Delivery)).status_code == 403


def test_a_link_exports_nothing(client: Client) -> None:
    assert client.get(export_url(Delivery)).status_code == 405


@pytest.mark.parametrize("query", ["?since=nonsense", "?state=%00", "?x=1", "?q=%00"])
def test_an_address_that_makes_no_sense_is_no_error_of_the_server(
    client: Client, query: str
) -> None:
    assert client.post(export_url(Delivery, query)).status_code in (200, 302, 400)


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("export", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_same_file(client: Client) -> None:
    make_delivery(make_event(1), state="failed")
    make_delivery(make_event(2))

    by_page = exported(client, query="?state=failed")
    by_command = list(csv.DictReader(io.StringIO(printed("delivery", "state=failed"))))

    assert by_page == by_command
    assert len(by_command) == 1
    entry = AuditEntry.objects.filter(action="export.csv").latest("id")
    assert (entry.door, entry.count) == ("command", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "delivery"),
        (["delivery", "colour=red"], "channel"),
        (["delivery", "state"], "name=value"),
        (["delivery", "since=soon"], "soon"),
        (["delivery", "--most", "-5"], "'-5' is not a whole number from 1"),
    ],
)
def test_the_command_says_what_it_knows(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        printed(*arguments)
