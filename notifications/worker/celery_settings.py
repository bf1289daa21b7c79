"""The Celery settings that the worker cannot do without, and those that would bring a trap back.

One list for three who ask: `notifications.worker.app.create`, which refuses to make an app with
another value; the worker that it makes; and `manage.py check --tag messaging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.utils.url import maybe_sanitize_url as sanitized

REQUIRED: Mapping[str, Any] = {
    "broker_url": "sqs://",
    "broker_transport": "notifications.worker.transport:Transport",
    "result_backend": "notifications.worker.results:FailedTasks",
    "result_extended": True,
    "task_acks_late": True,
    "task_create_missing_queues": False,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": True,
    "worker_disable_rate_limits": True,
    "worker_enable_remote_control": False,
}
"""Without these the worker would lose, double or stall; `celeryconfig.py` says what each does."""

LONGEST_WAIT = 20
"""Seconds, the most that SQS allows of a long poll."""

WAIT, RECEIVES = "wait_time_seconds", "receives_per_queue"


@dataclass(frozen=True)
class Rule:
    """`fits` says whether a value will do; `needed` what to give, after "needs"; `why` what would
    happen otherwise, with the trap's number in docs/traps.md where it has one."""

    setting: str
    fits: Callable[[Any], bool]
    needed: str
    why: str


@dataclass(frozen=True)
class Problem:
    setting: str
    value: Any
    needed: str
    why: str

    def __str__(self) -> str:
        shown = sanitized(self.value) if isinstance(self.value, str) else self.value
        said = f"{self.setting} is {shown!r}, but consuming events needs {self.needed}"
        return f"{said}: {self.why}"


def _same(setting: str, value: Any, why: str) -> Rule:
    return Rule(setting, lambda given: given == value, repr(value), why)


def _is_options(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.keys() - {WAIT, RECEIVES}:
        return False
    wait, receives = value.get(WAIT, LONGEST_WAIT), value.get(RECEIVES, 1)
    whole = type(wait) is int and type(receives) is int
    return whole and 1 <= wait <= LONGEST_WAIT and 1 <= receives <= 10


_WHY = {
    "broker_url": "region, credentials and endpoint are botocore's to find (trap 24)",
    "broker_transport": "kombu's own SQS transport loses, doubles and stalls (traps 1, 2, 6, 11)",
    "result_backend": "another backend stores successes, or nothing that operators can see",
    "result_extended": "a failure would be stored without its task and event",
    "task_acks_late": "a worker that dies would lose what it was at (trap 13)",
    "task_create_missing_queues": "a slip in -Q would be a queue that nobody feeds",
    "task_ignore_result": "each success would cost a row (trap 26)",
    "task_store_errors_even_if_ignored": "failures would not be found in the admin",
    "worker_disable_rate_limits": "each worker would hold messages back by itself (trap 14)",
    "worker_enable_remote_control": "each worker would make queues of its own (trap 21)",
}

RULES: tuple[Rule, ...] = (
    *(_same(setting, value, _WHY[setting]) for setting, value in REQUIRED.items()),
    *(
        _same(setting, "sqs://", "it goes before broker_url (trap 24)")
        for setting in ("broker_read_url", "broker_write_url")
    ),
    _same("task_acks_on_failure", True, "a failure would be deleted, or come without end (trap 9)"),
    _same(
        "task_acks_on_failure_or_timeout",
        True,
        "it is the old name of two that say the same (trap 9)",
    ),
    _same("task_acks_on_timeout", False, "what takes too long would be lost (trap 13)"),
    _same("task_retry_on_worker_lost", False, "a copy would be published (trap 8)"),
    _same("task_reject_on_worker_lost", True, "what kills its process would be lost (trap 13)"),
    _same("task_always_eager", False, "tasks would run where they are called"),
    _same("worker_send_task_events", False, "events of workers would be sent to SQS (trap 21)"),
    _same(
        "worker_deduplicate_successful_tasks",
        False,
        "it does nothing on SQS; the rows of deliveries and the inbox do (trap 7)",
    ),
    _same(
        "worker_cancel_long_running_tasks_on_connection_loss",
        False,
        "a poll that fails would cancel what runs",
    ),
    _same("task_serializer", "json", "what a message says must never be unpickled"),
    _same("result_serializer", "json", "what a row says must never be unpickled"),
    Rule(
        "accept_content",
        lambda value: value in (["json"], ("json",), {"json"}),
        "['json']",
        "what a message says must never be unpickled (trap 3)",
    ),
    Rule(
        "beat_schedule",
        lambda value: not value,
        "none",
        "beat has no lock, and an event's task is not called: register a chore (trap 27)",
    ),
    Rule(
        "worker_prefetch_multiplier",
        lambda value: type(value) is int and value >= 1,
        "1 or more",
        "0 takes all there is, and hides it from every other worker (trap 15)",
    ),
    Rule(
        "worker_pool",
        lambda value: not any(name in str(value) for name in ("event", "solo")),
        "'threads' or 'prefork'",
        "gevent and eventlet turn every poll into waiting for the one before (trap 19), and with "
        "solo all of them wait for the task",
    ),
    Rule(
        "broker_transport_options",
        _is_options,
        f"nothing but {WAIT} from 1 to {LONGEST_WAIT} and {RECEIVES} from 1 to 10",
        "kombu's own (visibility_timeout, polling_interval, predefined_queues) are not read, and a "
        "wait of 0 asks without a rest, which AWS bills (traps 16, 23)",
    ),
)


def problems(app: Celery) -> Iterator[Problem]:
    """What is wrong with the settings that this app was given. Celery's defaults do not count:
    `create` replaces those that matter."""
    for rule in RULES:
        if is_set(app, rule.setting):
            value = app.conf[rule.setting]
            if not rule.fits(value):
                yield Problem(rule.setting, value, rule.needed, rule.why)


def problems_of_module(path: str) -> Iterator[Problem]:
    """The same of a module of settings. Raises ImportError."""
    yield from problems(_app_of(path))


def annotated_rates(path: str) -> dict[str, Any]:
    """Task → the rate_limit that this module's `task_annotations` give it. Nothing where there is
    no module, or where they are no dictionary."""
    try:
        annotations = _app_of(path).conf.task_annotations if path else None
    except ImportError:
        return {}
    if not isinstance(annotations, Mapping):
        return {}
    return {
        task: given["rate_limit"]
        for task, given in annotations.items()
        if isinstance(given, Mapping) and "rate_limit" in given
    }


def _app_of(path: str) -> Celery:
    """An app of this moment only, to read settings as Celery does."""
    app = Celery("settings", set_as_current=False, fixups=[])
    app.config_from_object(path, force=True)
    return app


def is_set(app: Celery, setting: str) -> bool:
    """Whether the project's own settings name it, by its old name ("CELERY_ACKS_LATE") too;
    Celery's defaults do not count."""
    return bool(app.conf.value_set_for(setting))
