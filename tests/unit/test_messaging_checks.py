"""`manage.py check --tag messaging`: what would lose, double, stall or never come, said before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from inspect import getsource
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import shared_task
from celery.exceptions import ImproperlyConfigured
from django.core.checks import CheckMessage, run_checks

import celeryconfig
from notifications import checks, consumers, topology
from notifications.checks.dead_letter_queues import check_dead_letter_queues
from notifications.conf import Fleet
from notifications.connection_budget import Budget
from notifications.consumers import Consumer
from notifications.topology import Redrive
from notifications.worker.app import create
from notifications.worker.task import EventTask
from orders_site import fleet

ROOT = Path(__file__).resolve().parents[2]

OF_THE_REST = {f"notifications.{id}" for id in ("E003", "E004", "E022", "E080", "W094")}
"""In the same modules, and looked at with the rest."""


@pytest.fixture
def found(settings: Any) -> Any:
    """`found(FIFO_TOPICS=[…])`: what is wrong with the shop, with these keys changed."""
    shop = settings.NOTIFICATIONS

    def found(**changed: Any) -> list[CheckMessage]:
        settings.NOTIFICATIONS = {**shop, **changed}
        return list(checks.check_messaging())

    return found


@pytest.fixture
def task() -> Iterator[Any]:
    """`task("slow", max_seconds=…, retry_backoff=…)`: a consumer and its task, for this test."""
    added: list[str] = []

    def add(name: str, *, max_seconds: int = 30, max_retries: int = 8, **words: Any) -> None:
        @shared_task(
            bind=True, base=EventTask, name=f"tests.{name}", max_retries=max_retries, **words
        )
        def run(self: EventTask, envelope: Any) -> None:
            """Nothing."""

        wants = frozenset({"order.created"})
        consumers.register(
            Consumer(name, f"tests.{name}", wants, max_seconds=max_seconds, max_retries=max_retries)
        )
        added.append(name)

    yield add
    for name in added:
        consumers.unregister(name)


def ids(messages: list[CheckMessage]) -> list[str]:
    return [(message.id or "").removeprefix("notifications.") for message in messages]


def test_the_shop_has_nothing_to_mend_and_needs_neither_database_nor_network_to_say_so() -> None:
    ran = subprocess.run(
        [sys.executable, "manage.py", "check", "--tag", "messaging", "--fail-level", "WARNING"],
        env={
            "PATH": os.environ["PATH"],
            "WHATSAPP_PHONE_NUMBER_ID": "1",
            "FLEET_WORKERS": "4",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout == "System check identified no issues (0 silenced).\n", ran.stderr


def test_what_is_looked_at_is_asked_for_by_its_tag(settings: Any) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "PREFIX": "no spaces", "RECIPIENTS": ""}
    found = ids(run_checks(tags=[checks.MESSAGING]))
    assert "E002" in found
    assert "E004" not in found  # RECIPIENTS is none of its business
    settings.NOTIFICATIONS = {"ROUTES": 1}
    assert ids(run_checks(tags=[checks.MESSAGING])) == ["E001"]


def test_a_run_that_sqs_cannot_hide_to_its_end_is_found(found: Any, task: Any) -> None:
    task("slow", max_seconds=12 * 3600)
    (message,) = found()
    assert message.id == "notifications.E066"
    assert "'slow' may work on one message for 43200 s" in message.msg


def test_a_visibility_that_leaves_the_heartbeat_no_second_try_is_found(found: Any) -> None:
    assert ids(found(VISIBILITY_SECONDS=10)) == ["W067"]
    assert found(VISIBILITY_SECONDS=30) == []


def test_a_retry_that_waits_longer_than_sqs_hides_a_message_is_found(found: Any, task: Any) -> None:
    task("patient", retry_backoff=3600, retry_backoff_max=24 * 3600)
    assert found() == []  # a long wait is a dispatch
    assert "E068" in ids(found(FIFO_TOPICS=["order-events"]))


def test_retries_that_last_longer_than_sqs_keeps_a_message_are_found(found: Any, task: Any) -> None:
    task("stubborn", max_retries=2000, default_retry_delay=900)
    (message,) = found()
    assert message.id == "notifications.E069"
    assert "may last 21.5 days in SQS, which forgets a message" in message.msg


@pytest.mark.trap(9)
@pytest.mark.trap(10)
@pytest.mark.parametrize(
    ("id", "change"),
    [
        ("E070", {"redrive": None}),
        ("E070", {"redrive": Redrive("test-nowhere", 28)}),
        ("E071", {"retention": topology.RETENTION + 1}),
        ("E072", {"redrive": Redrive("{dlq}", 8)}),
    ],
)
def test_a_queue_whose_dead_letters_would_be_lost_or_come_too_early_is_found(
    id: str, change: dict[str, Any]
) -> None:
    layout = topology.current()
    email, grave = layout.queue("email"), layout.dead_letter_queue("email")
    redrive = change.get("redrive")
    if redrive is not None and redrive.queue == "{dlq}":
        change = {"redrive": replace(redrive, queue=grave.physical)}
    assert list(check_dead_letter_queues([email, grave])) == []

    (message,) = check_dead_letter_queues([replace(email, **change), grave])
    assert message.id == f"notifications.{id}"
    assert email.physical in message.msg


def test_a_limit_that_the_planned_workers_cannot_reach_is_found(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"notifications.email": {"rate_limit": "200/s"}}
    monkeypatch.setattr(celeryconfig, "task_annotations", rates)
    (message,) = found(FLEET=Fleet(workers=2, worker_threads=16))
    assert message.id == "notifications.W074"
    assert "'email' is 200/s, and the planned workers (2 with 16 threads each)" in message.msg
    assert found(FLEET=Fleet(workers=3, worker_threads=16)) == []
    assert found(FLEET=None) == []


@pytest.mark.trap(1)
@pytest.mark.trap(7)
@pytest.mark.trap(8)
@pytest.mark.trap(9)
@pytest.mark.trap(13)
@pytest.mark.trap(14)
@pytest.mark.trap(15)
@pytest.mark.trap(16)
@pytest.mark.trap(19)
@pytest.mark.trap(21)
@pytest.mark.trap(23)
@pytest.mark.trap(26)
@pytest.mark.trap(27)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", False),
        ("task_reject_on_worker_lost", False),
        ("task_acks_on_failure", False),
        ("task_acks_on_failure_or_timeout", False),
        ("task_acks_on_timeout", True),
        ("task_retry_on_worker_lost", True),
        ("worker_enable_remote_control", True),
        ("worker_send_task_events", True),
        ("worker_disable_rate_limits", False),
        ("worker_prefetch_multiplier", 0),
        ("broker_transport", "sqs"),
        ("broker_transport_options", {"polling_interval": 0}),
        ("broker_transport_options", {"visibility_timeout": 60}),
        ("broker_transport_options", {"wait_time_seconds": 0}),
        ("broker_transport_options", {"wait_time_seconds": "20"}),
        ("worker_pool", "gevent"),
        ("worker_pool", "solo"),
        ("broker_read_url", "redis://x/1"),
        ("worker_deduplicate_successful_tasks", True),
        ("task_ignore_result", False),
        ("result_backend", "redis://x/1"),
        ("beat_schedule", {"sweep": {"task": "sweep"}}),
        ("task_create_missing_queues", True),
        ("task_always_eager", True),
        ("task_serializer", "pickle"),
        ("accept_content", ["json", "pickle"]),
        ("accept_content", None),
    ],
)
@pytest.mark.filterwarnings(r"ignore:\s*The 'task_acks_on_failure_or_timeout' setting")
def test_a_setting_of_celery_that_brings_a_trap_back_is_refused_by_check_and_worker(
    found: Any, monkeypatch: pytest.MonkeyPatch, setting: str, value: Any
) -> None:
    config = ModuleType("a_celeryconfig")
    vars(config)[setting] = value
    monkeypatch.setitem(sys.modules, "a_celeryconfig", config)

    (message,) = found(CELERY="a_celeryconfig")
    assert message.id == "notifications.E073"
    assert message.msg.startswith(f"{setting} is {value!r}, but consuming events needs ")
    with pytest.raises(ImproperlyConfigured, match=f"{setting} is"):
        create("ours", config="a_celeryconfig")


def test_the_password_of_another_broker_is_not_told(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ModuleType("a_celeryconfig")
    vars(config)["broker_url"] = "redis://:opensesame@x/1"
    monkeypatch.setitem(sys.modules, "a_celeryconfig", config)
    (message,) = found(CELERY="a_celeryconfig")
    assert message.msg.startswith("broker_url is 'redis://:**@x/1', but consuming events needs")


def test_settings_of_celery_that_are_nowhere_are_found(found: Any) -> None:
    (message,) = found(CELERY="nowhere")
    assert message.id == "notifications.E073"
    assert "'nowhere', which cannot be imported" in message.msg


def test_the_connections_of_a_fleet_are_added_up() -> None:
    budget = Budget(Fleet(web=6, relays=2, workers=4), pool=20)
    assert (budget.web, budget.relay, budget.worker) == (6, 21, 21)
    assert str(budget) == "172 (web 6 x 6, relays 2 x 21, workers 4 x 21, others 10)"


def test_each_child_of_a_worker_has_a_connection_beside_its_parent_s() -> None:
    forks = {"WORKER_CONCURRENCY": "30", "WORKER_POOL": "prefork"}
    plan = fleet.planned({"FLEET_WORKERS": "4", **forks})
    assert plan is not None
    assert Budget(plan, pool=20).worker == 20 + 1 + 30


def test_the_document_names_every_check_of_messaging() -> None:
    modules = {sys.modules[check.__module__] for check in checks._OF_MESSAGING}
    made = {found for each in modules for found in re.findall(r'id="([\w.]+)"', getsource(each))}
    document = (ROOT / "docs/checks.md").read_text()
    assert made - set(re.findall(r"`([a-z]+\.[EWI]\d+)`", document)) - OF_THE_REST == set()
    assert made <= set(re.findall(r"^\| ([\w.]+) \|", checks.__doc__ or "", re.MULTILINE))
