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

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celery import Celery, signals
from celery.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, SystemCheckError

from notifications.worker import garbage
from notifications.worker.celery_settings import REQUIRED, is_set, problems

STEPS: Mapping[str, Iterable[str]] = {
    "worker": ("FinishRunning", "Answering", "Beating"),
    "consumer": ("SharePool", "Restarting", "WarmUp"),
}
"""Of `notifications.worker.steps`, beside Celery's own."""

DEFAULTS: Mapping[str, Any] = {"worker_pool": "threads", "worker_prefetch_multiplier": 2}


def create(name: str, *, config: str = "", set_as_current: bool = False) -> Celery:
    """A Celery app that consumes events.

    name: as Celery's, shown in logs. config: dotted path of a module of Celery settings, which
    may say again what is REQUIRED but not otherwise, nor bring a trap back
    (`notifications.worker.celery_settings`). set_as_current: whether `current_app` is this one;
    for a project without another.
    """
    if "worker" in sys.argv:
        garbage.look_seldom()
    app = Celery(
        name, amqp="notifications.worker.selection:ConsumerAMQP", set_as_current=set_as_current
    )
    if config:
        app.config_from_object(config, force=True)
    if pool := _pool_asked_for():
        app.conf["worker_pool"] = pool
    for problem in problems(app):
        raise ImproperlyConfigured(f"{problem}. Leave the setting out.")
    for setting, value in {**DEFAULTS, **REQUIRED}.items():
        if not is_set(app, setting):
            app.conf[setting] = value
    app.backend_cls = REQUIRED["result_backend"]  # else CELERY_RESULT_BACKEND would win over it
    for blueprint, steps in STEPS.items():
        app.steps[blueprint].update(f"notifications.worker.steps:{step}" for step in steps)
    signals.worker_init.connect(_prepare(app), weak=False)
    return app


def _prepare(app: Celery) -> Callable[..., None]:
    """What a worker of this app needs before its pool is made; another app's is left alone."""

    def prepare(sender: Any, **_: Any) -> None:
        if sender.app is app:
            from notifications.metrics import processes, start  # Django's settings are known by now
            from notifications.worker import forks, logs

            _insist_on_settings()
            logs.set_up(sender)
            of_processes = app.conf["worker_pool"] != "threads"
            forks.set_up(app)
            try:
                start.begin(forks=of_processes)
            except OSError as error:
                sys.exit(f"No metrics could be kept: {error}. {processes.MEND}")
            if of_processes:
                signals.task_postrun.connect(garbage.Collector(), weak=False)
                garbage.leave_out_what_stays()

    return prepare


def _insist_on_settings() -> None:
    """End a worker that a wrong setting would leave idle, with what the checks say of it."""
    try:
        BaseCommand().check()
    except SystemCheckError as error:
        # No exception: Celery would log what a receiver raises, and start.
        sys.exit(str(error))


def _pool_asked_for() -> str:
    """`-P` of a worker's command line, however it is written, or Celery's variable for it. Celery
    lets the setting win over `-P prefork` (its default), and any other pool over the setting."""
    if "worker" not in sys.argv:
        return ""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument(
        "-P", "--pool", nargs="?", default=os.environ.get("CELERY_WORKER_POOL", "")
    )
    return options.parse_known_args(sys.argv[1:])[0].pool or ""
