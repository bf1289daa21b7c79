"""What the worker overrides or calls in kombu, Celery and Django that is not public.

When one of these fails after an upgrade: read the change, look at every use of the name in
`notifications/worker`, mend it, and only then move the pin.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from celery import Celery, Task
from celery.app import amqp, trace
from celery.concurrency import base as pools
from celery.concurrency import prefork, thread
from celery.concurrency.asynpool import AsynPool
from celery.contrib.django.task import DjangoTask
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup
from celery.worker import components, request, state, strategy
from celery.worker.consumer import Consumer
from celery.worker.consumer.tasks import Tasks
from django.db.backends.postgresql.base import DatabaseWrapper
from django_celery_results.backends.database import DatabaseBackend
from kombu.asynchronous import Hub
from kombu.transport import SQS, virtual

from notifications.worker.request import Request
from notifications.worker.results import FailedTasks
from notifications.worker.task import EventTask
from notifications.worker.transport import Channel, QoS, Transport


@pytest.mark.parametrize(
    ("package", "pinned"),
    [("celery", "5.7.0"), ("kombu", "5.7.0"), ("django-celery-results", "2.6.0")],
)
def test_the_versions_are_those_that_were_read(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (virtual.Channel.basic_consume, "self queue no_ack callback consumer_tag kwargs"),
        (virtual.Channel.basic_cancel, "self consumer_tag"),
        (SQS.Channel.basic_consume, "self queue no_ack callback consumer_tag args kwargs"),
        (SQS.Channel.basic_cancel, "self consumer_tag"),
        (SQS.Channel.basic_ack, "self delivery_tag multiple"),
        (SQS.Channel.basic_reject, "self delivery_tag requeue"),
        (SQS.Channel.basic_qos, "self prefetch_size prefetch_count apply_global"),
        (SQS.Channel.close, "self"),
        (SQS.Channel.drain_events, "self timeout callback kwargs"),
        (SQS.Channel._update_queue_cache, "self queue_name_prefix"),
        (SQS.Channel._new_queue, "self queue kwargs"),
        (SQS.Channel._size, "self queue"),
        (SQS.Channel._schedule_queue, "self queue"),
        (SQS.Channel._put, "self queue message kwargs"),
        (SQS.Channel._restore, "self message unwanted_delivery_info"),
        (virtual.QoS.append, "self message delivery_tag"),
        (virtual.QoS.ack, "self delivery_tag"),
        (SQS.QoS.reject, "self delivery_tag requeue"),
        (virtual.Message.__init__, "self payload channel kwargs"),
        (Hub.add_reader, "self fds callback args"),
        (Hub.remove_reader, "self fd"),
        (Hub.run_once, "self"),
        (Hub.call_repeatedly, "self delay callback args"),
        (amqp.Queues.select, "self include"),
        (amqp.AMQP.TaskConsumer, "self channel queues accept kw"),
        (request.Request.on_accepted, "self pid time_accepted"),
        (request.Request.on_timeout, "self soft timeout"),
        (request.Request.on_success, "self failed__retval__runtime kwargs"),
        (request.Request.on_retry, "self exc_info"),
        (request.Request.on_failure, "self exc_info send_failed_event return_ok"),
        (request.Request.acknowledge, "self"),
        (request.Request.reject, "self requeue"),
        (request.Request.cancel, "self pool signal emit_retry"),
        (
            trace.fast_trace_task,
            "task uuid request body content_type content_encoding loads _loc hostname _",
        ),
        (state.task_ready, None),
        (state.task_reserved, None),
        (DjangoTask.delay_on_commit, "self args kwargs"),
        (DjangoTask.apply_async_on_commit, "self args kwargs"),
        (Task.retry, "self args kwargs exc throw eta countdown max_retries options"),
        (AsynPool._join_exited_workers, "self shutdown"),
        (DatabaseBackend.mark_as_retry, None),
        (
            DatabaseBackend.mark_as_failure,
            "self task_id exc traceback request store_result call_errbacks state",
        ),
        (DatabaseBackend.prepare_exception, "self exc serializer"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_method_is_there_as_we_call_or_override_it(function: Any, parameters: str | None) -> None:
    if parameters is not None:
        assert " ".join(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Channel, SQS.Channel),
        (QoS, SQS.QoS),
        (Transport, SQS.Transport),
        (Request, request.Request),
        (EventTask, DjangoTask),
        (FailedTasks, DatabaseBackend),
    ],
)
def test_what_replaces_a_private_method_replaces_one_that_exists(ours: type, theirs: type) -> None:
    own = {"_consumption", "_prefetch", "_run"}  # Channel
    own |= {"_handle", "_start", "_run_in_thread", "_give_up", "_attempts", "_store", "_settle"}
    own |= {"_longest", "_consumer"}  # Request, with those before it
    own |= {"_received", "_count_retries", "_count", "_sleep", "_on_record"}  # EventTask
    own |= {"_insist_on_neighbours"}
    private = {name for name in vars(ours) if name.startswith("_") and not name.startswith("__")}
    assert {name for name in private - own if not hasattr(theirs, name)} == set()


def test_an_unforked_pool_hands_over_only_what_it_is_given() -> None:
    """`Request.execute_using_pool` tells the pools apart by this, and gives threads a closure."""
    assert prefork.TaskPool.uses_semaphore
    assert not thread.TaskPool.uses_semaphore
    source = inspect.getsource(pools.apply_target)
    assert "accept_callback(" in source
    assert "callback(ret)" in source


def test_the_default_strategy_still_does_what_ours_leaves_out() -> None:
    """If this list grows, ours may have to grow with it."""
    names = inspect.signature(strategy.default).parameters
    assert list(names)[:3] == ["task", "app", "consumer"]
    handler = inspect.getsource(strategy.default)
    for step in ("req.eta", "rate_limits_enabled", "revoked_tasks", "task_sends_events"):
        assert step in handler
    assert "strategy(\n                        message, payload," in inspect.getsource(Consumer)


def test_the_worker_s_steps_stop_in_the_order_that_a_warm_shutdown_needs() -> None:
    app = Celery("order", set_as_current=False)
    app.steps["worker"].add("notifications.worker.steps:FinishRunning")
    steps = [step for step in components.__all__ if step in ("Hub", "Pool", "Consumer")]
    assert steps == ["Hub", "Pool", "Consumer"]
    assert components.Consumer.last
    assert "cancel" in inspect.getsource(Tasks.stop)
    assert "if self.pool and self.pool.flush:" in inspect.getsource(Consumer.on_close)


def test_kombu_calls_nothing_of_pycurl_for_us() -> None:
    with pytest.raises(ImportError):
        import pycurl  # type: ignore[import-not-found]  # noqa: F401


def test_celery_closes_a_child_s_pool_by_the_answer_that_ours_changes() -> None:
    source = inspect.getsource(DjangoWorkerFixup._close_database)
    assert "self._is_prefork()" in source
    assert source.count("is_prefork") == 3, "asked once, used once: for the pool alone"
    app = Celery("fixups", set_as_current=False)
    assert any(isinstance(fixup, DjangoFixup) for fixup in app._fixups)


def test_django_keeps_its_pools_where_a_fork_clears_them() -> None:
    assert isinstance(vars(DatabaseWrapper)["_connection_pools"], dict)
