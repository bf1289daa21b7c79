"""The Celery app of event consumers, beside any other that a project has.

A project without a Celery app of its own names this one in `<project>/celery.py`, as
`orders_site` does. A project that has one, with another broker, keeps it as it is and
puts ours in a module of its own:

    # shop/notifications_worker.py
    import os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

    from notifications.worker.app import create
    app = create("shop-notifications")

    $ celery -A shop.notifications_worker worker -Q email,sms

The two share nothing but the process: settings, broker and result backend are each app's
own, and `current_app` stays the other one. Event tasks are shared tasks, so the other app
knows them too, but nobody can call them: `.delay()` raises, and its worker refuses them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celery import Celery, _find_option_with_arg, signals
from celery.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, SystemCheckError

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

STEPS: Mapping[str, Iterable[str]] = {
    "worker": ("FinishRunning", "Beating"),
    "consumer": ("SharePool", "Restarting", "WarmUp"),
}
"""Of `notifications.worker.steps`, beside Celery's own."""

DEFAULTS: Mapping[str, Any] = {"worker_pool": "threads", "worker_prefetch_multiplier": 2}


def create(name: str, *, config: str = "", set_as_current: bool = False) -> Celery:
    """A Celery app that consumes events.

    name: as Celery's, shown in logs. config: dotted path of a module of Celery settings, which
    may say again what is REQUIRED but not otherwise. set_as_current: whether `current_app` is
    this one; for a project without another.
    """
    app = Celery(
        name, amqp="notifications.worker.selection:ConsumerAMQP", set_as_current=set_as_current
    )
    if config:
        app.config_from_object(config, force=True)
    for setting, value in REQUIRED.items():
        _require(app, setting, value)
    for setting, value in DEFAULTS.items():
        if not _is_set(app, setting):
            app.conf[setting] = value
    if pool := _pool_asked_for():
        app.conf["worker_pool"] = pool
    for blueprint, steps in STEPS.items():
        app.steps[blueprint].update(f"notifications.worker.steps:{step}" for step in steps)
    signals.worker_init.connect(_prepare(app), weak=False)
    return app


def _prepare(app: Celery) -> Callable[..., None]:
    """What a worker of this app needs before its pool is made; another app's is left alone."""

    def prepare(sender: Any, **_: Any) -> None:
        if sender.app is app:
            from notifications.worker import forks, logs  # Django's settings are known by now

            _insist_on_settings()
            logs.set_up()
            forks.set_up(app)

    return prepare


def _insist_on_settings() -> None:
    """End a worker that a wrong setting would leave idle, with what the checks say of it."""
    try:
        BaseCommand().check()
    except SystemCheckError as error:
        # No exception: Celery would log what a receiver raises, and start.
        sys.exit(str(error))


def _require(app: Celery, setting: str, value: Any) -> None:
    if _is_set(app, setting) and app.conf[setting] != value:
        raise ImproperlyConfigured(
            f"{setting} is {app.conf[setting]!r}, but consuming events needs {value!r}: "
            f"leave the setting out."
        )
    app.conf[setting] = value


def _is_set(app: Celery, setting: str) -> bool:
    """Whether the project's own settings name it; Celery's defaults do not count."""
    return any(setting in given for given in (app.conf.maps or ())[:-1])


def _pool_asked_for() -> str:
    """`-P` of the command line. Celery lets the setting win over `-P prefork` (its default)."""
    try:
        return str(_find_option_with_arg(sys.argv, ["-P"], ["--pool"]))  # type: ignore[arg-type]
    except (KeyError, IndexError):
        return ""
