"""The console's first page, and what it says when something is away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications import depths, needs, throughput, topology
from notifications.aws import clients, sqs
from notifications.aws.clients import client as aws_client
from notifications.local.ports import free_port
from notifications.models import (
    Attempt,
    Breaker,
    DeadLetter,
    Delivery,
    Dispatch,
    Handled,
    Job,
    Pause,
    Receipt,
    Throughput,
    WorkerProcess,
)
from notifications.needs import Kind
from tests.integration.operator_rows import (
    list_url,
    make_attempt,
    make_delivery,
    make_event,
    make_receipt,
    operator,
    page_url,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("aws")]

URL = "/admin/console/overview/"


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    depths.forget()
    yield
    depths.forget()


@pytest.fixture
def client() -> Client:
    return operator(Delivery, Handled, DeadLetter, Dispatch, Job, Pause, Breaker, WorkerProcess)


@pytest.fixture
def away(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQS does not answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{free_port()}")
    clients.forget()
    yield
    clients.forget()


def html(client: Client, query: str = "") -> str:
    answer = client.get(URL + query)
    assert answer.status_code == 200
    return answer.content.decode()


def row(page: str, queue: str) -> str:
    """The line of one queue."""
    found = re.search(rf'<tr data-key="queue-{queue}".*?</tr>', page, re.DOTALL)
    assert found, queue
    return found[0]


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\xa0", " ").split())


def put(name: str, count: int) -> None:
    url = sqs.queue_url(topology.current().queue(name).physical)
    for _ in range(count):
        aws_client("sqs").send_message(QueueUrl=url, MessageBody="{}")


def alive(*queues: str) -> WorkerProcess:
    polled = [{"name": n, "last_poll": 1.0, "under_way": 1, "held_by": ""} for n in queues]
    made = WorkerProcess(name="worker@host", host="host", pid=7, pool="threads", queues=polled)
    WorkerProcess.objects.report(made)
    return made


def a_busy_hour() -> None:
    """Of ten messages by email one failed for good, after a first try that failed for now."""
    moment = timezone.now() - timedelta(minutes=3)
    for number in range(10):
        delivery = make_delivery(make_event(number), state="failed" if not number else "sent")
        make_attempt(delivery, outcome="permanent" if not number else "sent", number=2)
        if not number:
            make_attempt(delivery, outcome="transient", number=1)
    Attempt.objects.update(started_at=moment)
    throughput.roll_up(using="default", go_on=lambda: True)


def test_each_queue_shows_its_figures_and_each_figure_leads_to_the_rows_behind_it(
    client: Client,
) -> None:
    put("email", 3)
    a_busy_hour()
    alive("email", "email-bulk")
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="r")
    make_delivery(make_event(77), state="retrying")
    pause = Pause.objects.create(kind="queue", name="sms", paused_by="ada", reason="moving")
    Breaker.objects.create(account="push", state="open", failures=5, last_error="503")

    page = html(client)

    email, said = row(page, "email"), words(row(page, "email"))
    assert said.startswith("email 3 0")
    assert "81.8 %" in said  # nine of eleven tries
    assert "1 failed" in said
    assert re.search(r" 0\.0(556|833)/s ", said), "ten events in three minutes, or in two"
    for url in (
        list_url(Delivery, "?channel=email&amp;within=1h"),
        list_url(Delivery, "?channel=email&amp;state=failed"),
        list_url(Delivery, "?channel=email&amp;state=retrying"),
        list_url(DeadLetter, "?state=open&amp;queue=email"),
        list_url(WorkerProcess, "?state=running"),
    ):
        assert f'href="{url}"' in email, url
        assert client.get(url.replace("&amp;", "&")).status_code == 200
    assert f'href="{page_url(pause)}"' in row(page, "sms")
    assert "paused by ada" in row(page, "sms")
    assert reverse("admin:notifications_breaker_change", args=["push"]) in row(page, "push")
    assert "push is left alone" in row(page, "push")
    assert "nobody serves it" in row(page, "payments")


def test_what_came_back_leads_to_the_complaints_as_to_the_bounces(client: Client) -> None:
    complained = make_delivery(make_event(), state="complained")
    make_attempt(complained, outcome="sent")
    make_receipt(complained, kind="complained")
    moment = timezone.now() - timedelta(minutes=3)
    Attempt.objects.update(started_at=moment)
    Receipt.objects.update(received_at=moment)
    throughput.roll_up(using="default", go_on=lambda: True)

    found = re.search(r'href="([^"]+)">1 came back<', row(html(client), "email"))

    assert found
    listed = client.get(found[1].replace("&amp;", "&")).context["cl"].result_list
    assert listed == [complained]


def test_the_charts_show_what_was_done_and_the_numbers_under_them(client: Client) -> None:
    a_busy_hour()
    page = html(client)
    assert page.count('role="img"') == 4
    assert "9 in all: done 9, skipped 0. Most: 9 at" in page
    assert "failed for now 1, failed for good 1" in page
    assert len(re.findall(r'<tr data-key="hour-done-', page)) == 60
    assert len(re.findall(r'<tr data-key="day-failed-', page)) == 96
    assert "Nothing in this time." in html(client, "?consumer=sms")
    assert "Done and failed: sms" in html(client, "?consumer=sms")
    for other in ("?consumer=nobody", "?consumer=%00", "?consumer=<script>"):
        assert "Done and failed: all consumers" in html(client, other)
    assert " style=" not in page
    assert "<style" not in page


def test_what_needs_a_person_is_said_first_and_on_the_index_too(client: Client) -> None:
    waiting = timezone.now() - timedelta(minutes=10)
    event = make_event(1)
    event.dispatches.update(available_at=waiting)
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="r")
    make_delivery(event, state="unknown")
    Breaker.objects.create(account="push", state="open")
    Pause.objects.create(kind="channel", name="sms", paused_by="ada")
    job = Job.objects.create(kind="resend", state="stopped", actor="ada", reason="r", rate=1)
    alive("email")

    for page in (html(client), client.get("/admin/").content.decode()):
        said = words(page)
        for sentence in (
            "No relay is at work.",
            "1 message waits to be published, for 10 min.",
            "1 dead letter is open.",
            "1 delivery is unknown: somebody has to look it up.",
            "1 provider account fails and is left alone: push.",
            "1 pause is in force: sms.",
            "queues have no live worker: analytics, email-bulk, inventory,",
            f"1 bulk job has stopped: {job.pk}.",
        ):
            assert sentence in said
        for url in (
            list_url(DeadLetter, "?state=open"),
            list_url(Delivery, "?state=unknown"),
            list_url(Pause, "?state=in_force"),
            list_url(Job, "?state=stopped"),
        ):
            assert f'href="{url}"' in page


def test_nothing_needs_anybody_when_all_is_well(client: Client) -> None:
    alive(*(queue.name for queue in topology.current().queues))
    throughput.roll_up(using="default", go_on=lambda: True)
    assert needs.now() == []
    assert "Nothing needs you." in html(client)
    assert "Nothing needs you." in client.get("/admin/").content.decode()


def test_a_relay_that_fell_silent_is_missed() -> None:
    throughput.roll_up(using="default", go_on=lambda: True)
    assert Kind.RELAYS not in [need.kind for need in needs.now()]
    Throughput.objects.update(computed_at=timezone.now() - timedelta(minutes=7))
    first = needs.now()[0]
    assert first.text == "No relay has been at work for 7 min."


def test_many_are_counted_up_to_a_thousand_only() -> None:
    DeadLetter.objects.bulk_create(
        DeadLetter(queue="email", message_id=str(number), body=b"", reason="r")
        for number in range(1_100)
    )
    (found,) = (need for need in needs.now() if need.kind is Kind.DEAD_LETTERS)
    assert found.text == "1,000+ dead letters are open."


def test_who_may_not_see_a_list_is_not_led_there_and_an_outsider_sees_nothing() -> None:
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="r")
    page = html(operator(Delivery))
    assert "1 dead letter is open." in page
    assert list_url(DeadLetter) not in page
    other = operator(Pause)
    assert other.get(URL).status_code == 403
    assert "What needs a person" not in other.get("/admin/").content.decode()
    assert Client().get(URL).status_code == 302
    assert operator(Delivery).post(URL).status_code == 405


@pytest.mark.usefixtures("away")
def test_while_sqs_is_away_the_page_says_so_and_shows_the_rest(client: Client) -> None:
    a_busy_hour()
    page = html(client)
    assert "SQS does not tell all: Could not connect" in page
    assert words(row(page, "email")).startswith("email ?")
    assert "81.8 %" in row(page, "email")


def test_a_slow_sqs_holds_nobody_up_and_its_last_word_is_shown_with_its_age() -> None:
    put("email", 2)
    told = depths.look(patience=10)
    assert told.found.counts["email"].visible == 2
    assert told.at is not None
    assert not told.stale
    assert depths.look(patience=0) == told
    depths.forget()
    unknown = depths.look(patience=0)
    assert (unknown.found.counts, unknown.at, unknown.stale) == ({}, None, True)
    assert depths.look(patience=10).found.counts["email"].visible == 2


def test_the_number_of_queries_does_not_grow_with_the_rows(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            html(client)
        return len(captured)

    alive("email")
    html(client)
    few = queries()
    for number in range(40):
        delivery = make_delivery(make_event(number), state="retrying" if number % 2 else "unknown")
        make_attempt(delivery)
        DeadLetter.objects.create(queue="sms", message_id=str(number), body=b"", reason="r")
        alive("email", "sms")
    throughput.roll_up(using="default", go_on=lambda: True)
    assert queries() <= few + 3  # what is only asked where there is something
    assert few < 40


def test_the_command_says_the_same(client: Client) -> None:
    put("email", 3)
    a_busy_hour()
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="r")

    def say(*arguments: str) -> str:
        out = StringIO()
        call_command("overview", *arguments, stdout=out, no_color=True)
        return out.getvalue()

    told: dict[str, Any] = json.loads(say("--json"))
    assert {"kind": "dead_letters", "count": 1} in [
        {"kind": need["kind"], "count": need["count"]} for need in told["needs"]
    ]
    email = next(queue for queue in told["queues"] if queue["name"] == "email")
    assert email["visible"] == 3
    assert told["last_hour"]["email"]["done"] == 9
    assert told["last_hour"]["email"]["success"] == pytest.approx(9 / 11)
    assert told["last_day"]["email"]["failed"] == 1
    printed = say()
    assert "1 dead letter is open." in printed
    assert re.search(r"^email +9 +0 +1 +1 +0 ", printed, re.MULTILINE)
