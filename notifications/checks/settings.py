"""The NOTIFICATIONS setting itself: what cannot be read, names, hooks."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from notifications import process_server, topology
from notifications.conf import conf
from notifications.setting_kinds import problems


def check_setting() -> Iterator[CheckMessage]:
    for problem in problems(getattr(settings, "NOTIFICATIONS", {})):
        yield Error(problem, hint="Mend the NOTIFICATIONS setting.", id="notifications.E001")


def check_names() -> Iterator[CheckMessage]:
    try:
        topology.current()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="Mend the name that it says; the shop reads the environment's "
            "NOTIFICATIONS_PREFIX (dev, shop-live) and NOTIFICATIONS_FIFO_TOPICS.",
            id="notifications.E002",
        )


def check_process_bind() -> Iterator[CheckMessage]:
    try:
        if bind := conf().process_bind:
            process_server.address(bind)
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="The shop reads it from the environment's PROCESS_BIND.",
            id="notifications.E080",
        )


def check_hooks() -> Iterator[CheckMessage]:
    for name in (
        *("recipients", "context", "still_true", "attachments"),
        *("timeline", "address_gone", "forget"),
    ):
        path: str = getattr(conf(), name)
        setting = f'NOTIFICATIONS["{name.upper()}"]'
        if path:
            yield from _importable(path, setting)
        elif name == "recipients" and conf().routes:
            yield Error(
                f"{setting} is not set, so nobody can be told anything.",
                hint="Give the dotted path of your (envelope, route) -> Iterable[Recipient].",
                id="notifications.E004",
            )


def _importable(path: str, setting: str) -> Iterator[CheckMessage]:
    try:
        hook = import_string(path)
    except ImportError as error:
        yield Error(
            f"{setting} is {path!r}, which cannot be imported: {error}",
            hint="Give the dotted path of a function.",
            id="notifications.E004",
        )
        return
    if not callable(hook):
        yield Error(
            f"{setting} is {path!r}, which is no function.",
            hint="Give the dotted path of a function.",
            id="notifications.E004",
        )
