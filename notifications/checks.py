"""System checks: what is missing or wrong, said at start-up with its id and its mend.

| id | what is wrong |
|---|---|
| notifications.E001 | NOTIFICATIONS cannot be read: an unknown key, a value of the wrong kind |
| notifications.E002 | PREFIX (or a topic's or queue's name with it) is none that SQS takes |
| notifications.E003 | ADDRESS_HASH_KEYS has no key, or an empty one |
| notifications.E004 | RECIPIENTS is not set, or a hook (CONTEXT, ATTACHMENTS, …) is no function |
| notifications.E005 | a channel's adapter cannot be made from its path and options |
| notifications.E006 | a route leads to a channel that is not configured |
| notifications.E007 | a route or a consumer names an event type that nobody registered |
| notifications.E008 | a routed event has no template for its channel, or a broken one |
| notifications.E009 | a consumer's task is not registered with Celery, or is no EventTask |
| notifications.E010 | a consumer's task has acks_late off |
| notifications.E011 | a consumer allows fewer receives than its task has retries |
| notifications.E012 | an adapter's timeouts reach its channel's max_seconds |
| notifications.E013 | the database is not PostgreSQL |
| notifications.E014 | the database is not configured |
| notifications.W015 | the database connections are not pooled |
| notifications.E016 | a routed channel has no consumer: nobody would ever be told |
| notifications.E017 | a task's rate_limit cannot be read |
| notifications.E018 | a channel's recipient_limit cannot be read |
| notifications.E019 | the tasks of one account declare different limits |
| notifications.E020 | outcomes are deleted before what could be done once more |
| notifications.E021 | a chore is due every 0 s, or cannot be called as the relay calls it |
| notifications.E022 | ENCRYPTION_KEYS has no key, or an empty one |
| notifications.W030 | an event has no WhatsApp template, and nothing else may be sent |
| notifications.E033 | an entry of ALLOWED_RECIPIENTS shuts nobody out |
| notifications.W034 | there are ALLOWED_RECIPIENTS (with --deploy): customers are not told |
| notifications.E036 | a channel's providers have no names or weights, or an adapter beside them |
| notifications.E037 | a provider's rate_limit cannot be read |
| notifications.E038 | a fallback has one channel, one channel twice, or no time |
| notifications.E039 | two routes of one event would be the same delivery |
| notifications.E040 | RECEIPT_WEBHOOKS has a secret that anybody could guess, or no word for Meta |
| notifications.W041 | Twilio signs a URL that we can only guess: PUBLIC_URL |
| notifications.E042 | RECEIPT_WEBHOOKS has secrets, and notifications.urls is not included |
| notifications.E043 | REPUTATION has a rate, a window or a number that cannot be meant |
| notifications.E044 | an event type is of a category that is not declared |
| notifications.E045 | a category is transactional and opt_in at once, or has no usable name |
| notifications.E046 | news goes out by email without a way to unsubscribe: PUBLIC_URL, urls |
| notifications.E047 | quiet hours cannot be read, or leave nothing of the day |
| notifications.E048 | an urgent event is told in a digest |
| notifications.E049 | a digest cannot be read, or has another's name |
| notifications.E050 | a digest comes when its events are worth sending no more |
| notifications.E051 | an audience's queryset cannot be read page by page |
| notifications.E052 | an audience's person or data is no function of a row |
| notifications.I053 | an audience's keys grow in no order of time |
| notifications.E054 | a file that edited templates may include is missing, or they may not |
| notifications.I001 | a consumer of FIFO and standard topics: its queue keeps no order |

None of them needs a database or a network. The templates of every language but the
default one are looked at when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from celery import current_app
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.utils.module_loading import import_string

from notifications import conf as settings_of
from notifications import digests, rendering, topology
from notifications.allow_list_checks import check_allow_list, check_no_allow_list
from notifications.audience_checks import check_audiences
from notifications.channels import adapters
from notifications.channels.base import longest_send
from notifications.chore_checks import check_chores
from notifications.conf import conf
from notifications.consumers import Consumer, all_consumers
from notifications.events import all_event_types
from notifications.hours_checks import check_digests, check_quiet_hours
from notifications.limit_checks import check_rate_limits, check_recipient_limits
from notifications.models import Event
from notifications.order_checks import check_order
from notifications.preference_checks import check_categories, check_way_out
from notifications.provider_checks import (
    check_fallbacks,
    check_provider_limits,
    check_providers,
    check_route_names,
)
from notifications.receipt_checks import check_receipt_webhooks, check_reputation
from notifications.retention_checks import check_retention
from notifications.template_checks import check_partials
from notifications.whatsapp_checks import check_whatsapp_templates
from notifications.worker.task import EventTask

TAG = "notifications"

Found: TypeAlias = Iterator[CheckMessage]


@register(TAG)
def check_all(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> Iterable[CheckMessage]:
    """Everything in the table above. While the setting cannot be read, nothing that reads it."""
    yield from check_database()
    unreadable = list(check_setting())
    yield from unreadable
    if unreadable:
        return
    for check in _CHECKS_OF_THE_SETTING:
        yield from check()


@register(TAG, deploy=True)
def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """What is right on some machines, and not where customers are."""
    if not list(check_setting()):
        yield from check_no_allow_list()


def check_setting() -> Found:
    for problem in settings_of.problems(getattr(settings, "NOTIFICATIONS", {})):
        yield Error(problem, hint="Mend the NOTIFICATIONS setting.", id="notifications.E001")


def check_names() -> Found:
    try:
        topology.current()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint='Choose another NOTIFICATIONS["PREFIX"] ("dev", "shop-live") or name.',
            id="notifications.E002",
        )


def check_address_hash_keys() -> Found:
    keys = conf().address_hash_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ADDRESS_HASH_KEYS"] has no key, or an empty one: '
            "deliveries could not be found by address.",
            hint="Give {1: <a long random secret>}; the shop reads the environment's "
            "ADDRESS_HASH_KEY. Keep old versions when you rotate.",
            id="notifications.E003",
        )


def check_encryption_keys() -> Found:
    keys = conf().encryption_keys
    if not keys or not all(keys.values()):
        yield Error(
            'NOTIFICATIONS["ENCRYPTION_KEYS"] has no key, or an empty one: '
            "addresses could not be kept.",
            hint="Give {1: a long secret of its own}; the shop reads it from ENCRYPTION_KEY. Keep "
            "old versions when you rotate, until `manage.py reseal` has been run.",
            id="notifications.E022",
        )


def check_hooks() -> Found:
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


def check_adapters() -> Found:
    for channel, provider in sorted(
        (channel, each.name)
        for channel, described in conf().channels.items()
        for each in described.each
    ):
        try:
            adapters.make(channel, provider)
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises is what to mend
            yield Error(
                f"The adapter of channel {channel!r} cannot be made: {error}",
                hint=f'Mend NOTIFICATIONS["CHANNELS"]["{channel}"]: the path of a ChannelAdapter '
                "and the options that it takes.",
                id="notifications.E005",
            )


def check_routes() -> Found:
    registered = {kind.name for kind in all_event_types()}
    for event_type, routes in sorted(conf().routes.items()):
        for channel in sorted({route.channel for route in routes} - set(conf().channels)):
            yield Error(
                f"{event_type} is routed to {channel!r}, which is no channel.",
                hint=f'Add {channel!r} to NOTIFICATIONS["CHANNELS"], or take the Route away.',
                id="notifications.E006",
            )
        if event_type not in registered:
            yield _unregistered(event_type, 'NOTIFICATIONS["ROUTES"]', registered)
    yield from _unserved()
    for consumer in all_consumers():
        if consumer.channel:
            continue  # it wants what is routed to it, which was looked at above
        for event_type in sorted((consumer.wants or frozenset()) - registered):
            yield _unregistered(event_type, f"consumer {consumer.name!r}", registered)


def check_templates() -> Found:
    for event_type, routes in sorted(digests.told_routes().items()):
        for channel in sorted({route.channel for route in routes}):
            yield from (
                Error(
                    f"{event_type} is told by {channel}, but there is no template {path}.",
                    hint="Put it below one of TEMPLATES' DIRS, or into an app's templates.",
                    id="notifications.E008",
                )
                for path in rendering.missing_templates(event_type, channel)
            )
            yield from (
                Error(
                    f"A template does not compile: {problem}",
                    hint="Mend the template.",
                    id="notifications.E008",
                )
                for problem in rendering.broken_templates(event_type, channel)
            )


def check_tasks() -> Found:
    for consumer in all_consumers():
        task = current_app.tasks.get(consumer.task)
        if not isinstance(task, EventTask):
            yield Error(
                f"Consumer {consumer.name!r} names the task {consumer.task!r}, which is "
                f"{'no EventTask' if task else 'not registered with Celery'}.",
                hint=f"Declare it in a consumers.py: @shared_task(bind=True, base=EventTask, "
                f'name="{consumer.task}", …).',
                id="notifications.E009",
            )
        else:
            yield from _task_of(consumer, task)


def check_timeouts() -> Found:
    for consumer in all_consumers():
        described = conf().channels.get(consumer.channel)
        if described is None:
            continue
        longest = max(longest_send(each.options) for each in described.each)
        if longest >= consumer.max_seconds:
            yield Error(
                f"A send over {consumer.channel!r} may take {longest:g} s (connect_timeout + "
                f"read_timeout), but its messages are given {consumer.max_seconds} s: another "
                "worker would take over what is still being sent.",
                hint="Lower the timeouts in the channel's options, or raise its max_seconds.",
                id="notifications.E012",
            )


def check_database() -> Found:
    alias = router.db_for_write(Event)
    database = settings.DATABASES.get(alias, {})
    engine = database.get("ENGINE", "")
    if not engine or engine.endswith(".dummy"):
        yield _unconfigured(alias)
    elif "postgresql" not in engine:
        yield Error(
            f"DATABASES[{alias!r}] uses {engine}: claims and leases need PostgreSQL 14 or newer.",
            hint='Use "django.db.backends.postgresql".',
            id="notifications.E013",
        )
    elif not database.get("NAME") and "service" not in database.get("OPTIONS", {}):
        yield _unconfigured(alias)
    elif not database.get("OPTIONS", {}).get("pool"):
        yield Warning(
            f"DATABASES[{alias!r}] has no pool: each task would open a connection of its own.",
            hint='Add "pool": True (or its sizes) to OPTIONS.',
            id="notifications.W015",
        )


_CHECKS_OF_THE_SETTING: tuple[Callable[[], Found], ...] = (
    check_names,
    check_address_hash_keys,
    check_encryption_keys,
    check_hooks,
    check_adapters,
    check_routes,
    check_templates,
    check_partials,
    check_tasks,
    check_timeouts,
    check_rate_limits,
    check_recipient_limits,
    check_retention,
    check_allow_list,
    check_chores,
    check_order,
    check_whatsapp_templates,
    check_providers,
    check_provider_limits,
    check_fallbacks,
    check_route_names,
    check_receipt_webhooks,
    check_reputation,
    check_categories,
    check_way_out,
    check_quiet_hours,
    check_digests,
    check_audiences,
)


def _importable(path: str, setting: str) -> Found:
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


def _unserved() -> Found:
    routed = {route.channel for routes in conf().routes.values() for route in routes}
    served = {consumer.channel for consumer in all_consumers()}
    for channel in sorted((routed & set(conf().channels)) - served):
        yield Error(
            f"Events are routed to {channel!r}, which no consumer serves: nobody would be told.",
            hint=f"Declare its task and register_channel({channel!r}, task=…) in an app's "
            "consumers.py (notifications.channels.consumers shows how).",
            id="notifications.E016",
        )


def _unregistered(event_type: str, where: str, registered: Iterable[str]) -> CheckMessage:
    return Error(
        f"{where} names the event type {event_type!r}, which nobody registered.",
        hint=f"Declare it with @event({event_type!r}, …) in the events.py of an installed app; "
        f"registered are: {', '.join(sorted(registered)) or 'none'}.",
        id="notifications.E007",
    )


def _task_of(consumer: Consumer, task: EventTask) -> Found:
    if not task.acks_late:
        yield Error(
            f"The task {consumer.task!r} has acks_late off: a worker that dies would lose it.",
            hint="Declare it with acks_late=True.",
            id="notifications.E010",
        )
    retries = task.max_retries
    if retries is None or retries > consumer.max_retries:
        yield Error(
            f"The task {consumer.task!r} has max_retries={retries}, its consumer "
            f"{consumer.max_retries}: SQS would dead-letter what is still being retried.",
            hint=f"Register the consumer with max_retries={retries or 'the number you mean'}.",
            id="notifications.E011",
        )


def _unconfigured(alias: str) -> CheckMessage:
    return Error(
        f"DATABASES[{alias!r}] names no database.",
        hint="Point it at a PostgreSQL server; the shop reads the environment's DATABASE_URL "
        "(postgresql://user@host/name).",
        id="notifications.E014",
    )
