"""The NOTIFICATIONS setting itself: what cannot be read, names, keys, hooks."""

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


def check_address_hash_keys() -> Iterator[CheckMessage]:
    keys = conf().address_hash_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ADDRESS_HASH_KEYS"] has no key, or an empty one: '
            "deliveries could not be found by address.",
            hint="Give {1: <a long random secret>}; the shop reads the environment's "
            "ADDRESS_HASH_KEY. Keep old versions when you rotate.",
            id="notifications.E003",
        )


def check_encryption_keys() -> Iterator[CheckMessage]:
    keys = conf().encryption_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ENCRYPTION_KEYS"] has no key, or an empty one: '
            "addresses could not be kept.",
            hint="Give {1: a long secret of its own}; the shop reads it from ENCRYPTION_KEY. Keep "
            "old versions when you rotate, until `manage.py reseal` has been run.",
            id="notifications.E022",
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
