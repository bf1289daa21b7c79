"""What is counted when something is done, and how the fleet does, as it is told to Prometheus."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from notifications import depths, topology
from notifications.aws import clients
from notifications.conf import Reputation
from notifications.exceptions import TransientError
from notifications.local.ports import free_port
from notifications.metrics import counting, emf, exposition, fleet, gauges, table
from notifications.metrics.table import TABLE
from notifications.models import (
    Breaker,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    RateLimit,
    ScheduledEvent,
)
from notifications.nudges import listen
from tests.conftest import Start
from tests.integration import ledger
from tests.integration.ledger import record_orders
from tests.integration.letters import ANN, Town, letter, tell
from tests.integration.operator_rows import make_delivery, make_event, make_receipt
from tests.integration.test_overview import alive, put
from tests.integration.worker import mails
from tests.unit.test_metrics import assert_is_emf
from tests.waiting import wait_for

TOKEN = "a-token-of-24-characters"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("aws")]


@pytest.fixture(autouse=True)
def _from_nothing(settings: Any) -> Iterator[None]:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"METRICS_TOKEN": TOKEN}
    for forget in (counting.start_anew, fleet.forget, depths.forget):
        forget()
    yield
    for forget in (counting.start_anew, fleet.forget, depths.forget):
        forget()


def scrape(token: str = TOKEN) -> dict[str, dict[tuple[str, ...], float]]:
    """By metric, then by its labels in the table's order."""
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    names = {each.family: each for each in TABLE}
    return {
        names[family.name].name: {
            tuple(sample.labels[label] for label in names[family.name].labels): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(answer.content.decode())
    }


@pytest.mark.parametrize(
    ("given", "status"),
    [("", 401), ("Bearer ", 401), (f"Basic {TOKEN}", 401), (f"Bearer {TOKEN}x", 401)],
)
def test_only_who_has_the_token_is_told(given: str, status: int) -> None:
    answer = Client().get("/metrics", headers={"Authorization": given})
    assert answer.status_code == status
    assert b"notifications_" not in answer.content


def test_without_a_token_there_is_no_such_page(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"METRICS_TOKEN": ""}
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    assert Client().get("/metrics").status_code == 404


def test_a_relay_counts_what_it_publishes_and_what_it_cannot() -> None:
    with ledger.registered():
        record_orders(3)
        Dispatch.objects.create(kind=Dispatch.Kind.QUEUE, destination="gone", body="{}")
        with pytest.raises(CommandError):
            call_command("relay", once=True, verbosity=0)
    found = counting.samples()
    published = {s.labels["destination"]: s.value for s in found[table.PUBLISHED.name]}
    failed = {s.labels["destination"]: s.value for s in found[table.PUBLISH_FAILURES.name]}
    assert sum(published.values()) == 3
    assert set(published) <= {topic.name for topic in topology.current().topics}
    assert failed == {"other": 1}


def test_a_delivery_counts_the_states_it_comes_into_and_names_nobody(town: Town) -> None:
    event = letter()
    town.on_send = _refuses
    with pytest.raises(TransientError):
        tell(event)
    Delivery.objects.update(next_try_at=timezone.now())
    town.on_send = None
    tell(event)

    found = counting.samples()

    came = {tuple(s.labels.values()): s.value for s in found[table.DELIVERIES.name]}
    assert came == {("email", "retrying"): 1, ("email", "sent"): 1}
    asked = [s.value for s in found[table.PROVIDER_SECONDS.name] if s.name.endswith("_count")]
    assert asked == [2]
    text = exposition()[1].decode()
    assert 'provider="postman"' in text
    for personal in (ANN.address, ANN.reference, event.subject, str(event.id)):
        assert personal not in text


def _refuses(message: Any) -> Any:
    raise TransientError(f"no room for {ANN.address}", "mailbox_full")


def test_the_fleet_is_told_as_the_overview_has_it(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"REPUTATION": Reputation(least_sends=2)}
    put("email", 3)
    alive("email", "email-bulk")
    late = make_event(1)
    late.dispatches.update(available_at=timezone.now() - timedelta(minutes=10))
    make_delivery(late, state="unknown")
    _done(make_event(2))
    make_receipt(make_delivery(make_event(3)))
    Delivery.objects.filter(state="sent").update(provider="ses")
    DeadLetter.objects.create(queue="email", message_id="m", body=b"", reason="r")
    Breaker.objects.create(account="push", state="open")
    for subject, state in (("order/1", "refused"), ("order/2", "waiting")):
        ScheduledEvent.objects.create(
            event_type="order.review_due",
            version=1,
            subject=subject,
            due_at=timezone.now() + timedelta(hours=1),
            look_at=timezone.now() + timedelta(hours=1),
            state=state,
        )
    RateLimit.objects.set_override("email", 10.0, by="ada", reason="a test")
    gauges._granted["email"] = (0, time.monotonic() - 100)
    RateLimit.objects.update(granted=500)

    found = scrape()

    assert set(found) == {each.name for each in TABLE}
    assert found[table.QUEUE_MESSAGES.name]["email", "visible"] == 3
    assert found[table.WORKERS.name]["email",] == 1
    assert found[table.WORKERS.name]["sms",] == 0
    assert 1 <= found[table.LAST_POLL_AGE.name]["email",] < 60
    assert 600 <= found[table.DISPATCH_AGE.name][()] < 660
    assert found[table.QUEUE_OLDEST_AGE.name]["payments",] >= 0
    assert found[table.DEAD_LETTERS_OPEN.name]["email",] == 1
    assert found[table.UNKNOWN_OUTCOMES.name]["email",] == 1
    assert found[table.SCHEDULED_REFUSED.name][()] == 1
    assert found[table.BREAKER_OPEN.name]["push",] == 1
    assert found[table.BREAKER_OPEN.name]["email",] == 0
    assert found[table.LIMIT_USED.name]["email",] == pytest.approx(0.5, rel=0.1)
    assert found[table.BOUNCE_RATIO.name] == {("email", "ses"): 0.5}
    lag = found[table.LAG.name]
    for stage, seconds in {"published": 1, "received": 2, "done": 3, "total": 6}.items():
        assert lag["email", stage, "0.95"] == pytest.approx(seconds, abs=0.01)
    assert set(found[table.SCRAPE_ERRORS.name].values()) == {0}


def _done(event: Event) -> None:
    """Published a second after its commit, received two later, and done after three more."""
    at = timezone.now() - timedelta(seconds=30)
    Event.objects.filter(pk=event.pk).update(recorded_at=at)
    event.dispatches.update(state="published", published_at=at + timedelta(seconds=1))
    delivery = make_delivery(event)
    received = at + timedelta(seconds=3)
    Delivery.objects.filter(pk=delivery.pk).update(
        created_at=received, sent_at=received + timedelta(seconds=3)
    )


def test_while_sqs_is_away_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{free_port()}")
    clients.forget()
    try:
        found = scrape()
    finally:
        clients.forget()
    assert found[table.SCRAPE_ERRORS.name]["sqs",] == 1
    assert found[table.SCRAPE_ERRORS.name]["dispatches",] == 0
    assert not found[table.QUEUE_MESSAGES.name]
    assert found[table.DISPATCH_AGE.name] == {(): 0}


def test_a_database_that_stands_still_holds_no_scrape_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PATIENCE", 4.0)
    put("email", 1)
    with listen() as other:  # a connection of its own
        other.execute("BEGIN; LOCK TABLE notifications_breaker IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        found = scrape()
        assert time.monotonic() - began < 15
        assert found[table.SCRAPE_ERRORS.name] == {("sqs",): 0, ("time",): 1}
        assert found[table.QUEUE_MESSAGES.name]["email", "visible"] == 1
        other.execute("ROLLBACK")
    wait_for(lambda: not any(scrape()[table.SCRAPE_ERRORS.name].values()))


def test_while_the_database_is_away_sqs_is_told() -> None:
    def away(*_: Any) -> None:
        raise OperationalError

    with connection.execute_wrapper(away):
        found = list(fleet.read())
    errors = {each.labels[0]: each.value for each in found if each.metric is table.SCRAPE_ERRORS}
    assert errors.pop("sqs") == 0
    assert set(errors.values()) == {1}
    assert {each.metric for each in found} == {table.QUEUE_MESSAGES, table.SCRAPE_ERRORS}


def test_one_relay_tells_cloudwatch_of_a_minute(settings: Any) -> None:
    def told() -> int:
        return emf.tell_fleet(using="default", go_on=lambda: True)

    assert told() == 0, "METRICS_EMF is off"
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"METRICS_EMF": True}
    counts = [told() for _ in range(3)]  # a minute may end meanwhile, and no two
    assert counts.count(0) >= 1
    assert max(counts) > 10


def test_a_worker_of_processes_tells_what_its_children_have_done(
    worker: Start, sandbox: Any
) -> None:
    told = {"METRICS_EMF": "1", "PROCESS_BIND": "127.0.0.1:0", "SQS_WAIT_SECONDS": "1"}
    process = worker("email", pool="prefork", concurrency=2, **told)
    sandbox.script("email", "server_error", times=1)
    mails.send_many(4)
    mails.client("sqs").send_message(QueueUrl=mails.url("email"), MessageBody="no event")
    wait_for(lambda: Delivery.objects.filter(state="sent").count() == 4, within=30)
    asked = re.search(r"at (http://\S+)/healthz", process.log)
    assert asked
    text = httpx.get(f"{asked[1]}/metrics").text
    process.terminate()
    process.wait(within=30)

    scraped = {each.name: each.samples for each in text_string_to_metric_families(text)}
    counted = [each for each in TABLE if each.where is table.Where.WORKER]
    assert [each.name for each in counted if not scraped[each.family]] == []
    assert "@" not in text

    lines = [json.loads(line) for line in process.log.splitlines() if line.startswith('{"_aws"')]

    for line in lines:
        assert_is_emf(line)
        assert line["environment"] == "test"
    of_email = [line for line in lines if line.get("consumer") == "email"]
    assert _sum(of_email, table.RECEIVED) == 6
    assert _sum(of_email, table.HANDLED, outcome="done") == 4
    assert _sum(of_email, table.HANDLED, outcome="retried") == _sum(of_email, table.RETRIES) == 1
    assert _sum(of_email, table.DEAD_LETTERS, reason="not_an_event") == 1
    assert len([value for line in of_email for value in line.get(table.TASK_SECONDS.name, [])]) == 5
    sent = [line for line in lines if line.get("channel") == "email"]
    assert _sum(sent, table.DELIVERIES, state="sent") == 4
    assert "@" not in json.dumps(lines)


def _sum(lines: list[dict[str, Any]], metric: table.Metric, **labels: str) -> float:
    alike = (line for line in lines if labels.items() <= line.items())
    return sum(line.get(metric.name, 0) for line in alike)
