"""Our Celery app, alone and beside another one."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from celery import Celery, current_app, shared_task
from celery.exceptions import ImproperlyConfigured

from notifications.consumers import all_consumers
from notifications.worker.app import create
from notifications.worker.celery_settings import REQUIRED
from notifications.worker.task import EventTask


@shared_task(bind=True, base=EventTask, name="tests.two_apps")
def two_apps(self: object, envelope: object) -> None:
    """A task that both apps know."""


@pytest.mark.trap(4)
@pytest.mark.trap(12)
@pytest.mark.parametrize(
    "call",
    [
        lambda: two_apps.delay("x"),
        lambda: two_apps.apply_async(("x",), countdown=5),
        lambda: two_apps.delay_on_commit("x"),
        lambda: two_apps.apply_async_on_commit(("x",)),
        lambda: two_apps.s("x").apply_async(),
    ],
)
def test_an_event_task_is_not_called_but_an_event_recorded(call: object) -> None:
    with pytest.raises(TypeError, match=r"notifications\.outbox\.record\(\)"):
        call()  # type: ignore[operator]


def test_a_celery_message_by_name_never_reaches_an_event_queue() -> None:
    ours = create("ours")
    with pytest.raises(Exception, match="carries events only"):
        ours.send_task("tests.two_apps", ("x",), queue="email", retry=False)


def test_two_apps_leave_each_other_alone() -> None:
    theirs = Celery("theirs", broker="memory://", set_as_current=False)
    theirs.conf.task_acks_late = False
    before = current_app._get_current_object()
    ours = create("ours")
    assert current_app._get_current_object() is before
    assert theirs.conf.broker_url == "memory://"
    assert not theirs.conf.task_acks_late
    assert theirs.conf.broker_transport is None
    assert ours.conf.task_acks_late
    assert "tests.two_apps" in ours.tasks
    assert "tests.two_apps" in theirs.tasks


def test_a_worker_without_q_serves_every_consumer_and_no_other_queue() -> None:
    queues = create("ours").amqp.queues
    queues.select(None)
    assert set(queues.consume_from) == {consumer.name for consumer in all_consumers()}


def test_settings_that_the_worker_cannot_do_without_may_not_be_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = ModuleType("a_celeryconfig")
    config.task_acks_late = False  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_celeryconfig", config)
    with pytest.raises(ImproperlyConfigured, match="task_acks_late is False"):
        create("ours", config="a_celeryconfig")


def test_the_shop_s_celeryconfig_says_all_of_them() -> None:
    import celeryconfig

    assert {name: getattr(celeryconfig, name) for name in REQUIRED} == dict(REQUIRED)


@pytest.mark.parametrize(
    "asked", [["-P", "prefork"], ["-Pprefork"], ["--pool=prefork"], ["--pool", "prefork", "-c4"]]
)
def test_the_pool_asked_for_on_the_command_line_is_the_one(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["celery", "-A", "shop", "worker", *asked])
    assert create("ours", config="celeryconfig").conf.worker_pool == "prefork"
    monkeypatch.setattr(sys, "argv", ["celery", "-A", "shop", "worker"])
    assert create("ours", config="celeryconfig").conf.worker_pool == "threads"


def test_the_pool_of_celery_s_own_variable_is_a_worker_s_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CELERY_WORKER_POOL", "solo")
    monkeypatch.setattr(sys, "argv", ["manage.py", "relay"])
    assert create("ours", config="celeryconfig").conf.worker_pool == "threads"
    monkeypatch.setattr(sys, "argv", ["celery", "-A", "shop", "worker"])
    with pytest.raises(ImproperlyConfigured, match="worker_pool is 'solo'"):
        create("ours", config="celeryconfig")
