"""System checks: what is missing or wrong, said at start-up with its id and its mend.

| id | what is wrong |
|---|---|
| notifications.E001 | NOTIFICATIONS cannot be read: an unknown key, a value of the wrong kind |
| notifications.E002 | PREFIX (or a topic's or queue's name with it) is none that SQS takes |
| notifications.E003 | ADDRESS_HASH_KEYS has no key, or an empty one |
| notifications.E004 | RECIPIENTS is not set, or a hook (CONTEXT, ATTACHMENTS, …) is no function |
| notifications.E005 | a channel's adapter cannot be made from its path and options |
| notifications.E006 | a route leads to a channel that is not configured |
| notifications.E007 | a route, a consumer or FOREIGN_EVENTS names an event type nobody registered |
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
| notifications.E058 | the admin is used without the console |
| notifications.E062 | EDITABLE names what is not there, or must not be edited |
| notifications.W064 | the console is served without its Content-Security-Policy |
| notifications.E065 | the planned fleet may open more connections than the server takes |
| notifications.E066 | a consumer may work longer than SQS hides a message: 12 hours |
| notifications.W067 | VISIBILITY_SECONDS leaves the heartbeat no second try |
| notifications.E068 | a retry on a FIFO queue waits longer than SQS hides a message |
| notifications.E069 | a task's retries last longer than SQS keeps its message |
| notifications.E070 | a queue has no dead-letter queue |
| notifications.E071 | a dead-letter queue keeps a message for less long than its source |
| notifications.E072 | SQS takes a message away while its task may still retry |
| notifications.E073 | a setting of Celery would lose, double or stall: a trap of docs/traps.md |
| notifications.W074 | a limit that the planned workers cannot reach |
| notifications.E080 | PROCESS_BIND is no host and port |
| notifications.W081 | spans are asked for, and none would be made |
| notifications.E083 | METRICS_TOKEN could be guessed |
| notifications.W084 | METRICS_TOKEN is set, and notifications.metrics.urls is not included |
| notifications.E086 | an objective is of an event type that nobody registered |
| notifications.E087 | an objective cannot be met or missed, or allows more time than there is |
| notifications.W088 | nobody is told, each event by itself, what an objective is about |
| notifications.E093 | a row is deleted while its message may come, which would pass for forged |
| notifications.W094 | whoever may publish is believed (with --deploy): FOREIGN_EVENTS |
| notifications.E095 | the database does not answer |
| notifications.E096 | transactions are isolated above READ COMMITTED |
| notifications.W097 | what is scheduled is of a type or version that is not registered |
| notifications.E098 | django_celery_results is not installed: no message could be given up |
| notifications.E099 | an address hash key or encryption key could be guessed (with --deploy) |
| notifications.I001 | a consumer of FIFO and standard topics: its queue keeps no order |

None of them needs a database or a network, but for E065, E095, W097, and E096 where the server sets
it, which are looked for with `--database default` alone. The templates of every language but the
default one are looked at when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register
from django.db import router

from notifications.checks.allow_list import check_allow_list, check_no_allow_list
from notifications.checks.audiences import check_audiences
from notifications.checks.celery import check_celery
from notifications.checks.channels import check_adapters, check_timeouts
from notifications.checks.chores import check_chores
from notifications.checks.connections import check_connections, check_isolation, check_reachable
from notifications.checks.console import check_console
from notifications.checks.database import check_database
from notifications.checks.dead_letter_queues import check_dead_letter_queues
from notifications.checks.editable import check_editable
from notifications.checks.edited_templates import check_partials
from notifications.checks.hours import check_digests, check_quiet_hours
from notifications.checks.keys import (
    check_address_hash_keys,
    check_encryption_keys,
    check_guessable_keys,
)
from notifications.checks.limits import check_rate_limits, check_recipient_limits
from notifications.checks.metrics import check_metrics
from notifications.checks.objectives import check_objectives
from notifications.checks.order import check_order
from notifications.checks.preferences import check_categories, check_way_out
from notifications.checks.providers import (
    check_fallbacks,
    check_provider_limits,
    check_providers,
    check_route_names,
)
from notifications.checks.publishers import check_anybody_is_believed, check_foreign_events
from notifications.checks.reach import check_reach
from notifications.checks.receipts import check_receipt_webhooks, check_reputation
from notifications.checks.results import check_results
from notifications.checks.retention import check_retention
from notifications.checks.routes import check_routes, check_templates
from notifications.checks.scheduled import check_scheduled
from notifications.checks.settings import (
    check_hooks,
    check_names,
    check_process_bind,
    check_setting,
)
from notifications.checks.tasks import check_tasks
from notifications.checks.times import check_retries, check_visibility
from notifications.checks.tracing import check_spans
from notifications.checks.whatsapp import check_whatsapp_templates
from notifications.conf import as_far_as_readable
from notifications.models import Event

TAG = "notifications"
MESSAGING = "messaging"
"""The tag of those that look at how messages travel: `manage.py check --tag messaging`."""
SETTINGS = "settings"
"""The tag of those that say what cannot be read, and has its default meanwhile: for a command that
computes something of the settings and needs nothing else."""

Found: TypeAlias = Iterator[CheckMessage]


def check_all() -> Found:
    """Everything in the table above that needs no database."""
    yield from check_surroundings()
    yield from check_readable()
    yield from check_messaging()
    yield from check_rest()


@register(TAG)
def check_surroundings(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """What Django is set up with beside our setting."""
    yield from check_database()
    yield from check_console()
    yield from check_spans()


@register(TAG, MESSAGING, SETTINGS)
def check_readable(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """The setting itself. What is below says no more of a key than this does, if it says it."""
    yield from check_setting()


@register(TAG, MESSAGING)
def check_messaging(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """Topology, routes, times, limits, and the settings of Celery."""
    return _as_far_as_readable(_OF_MESSAGING)


@register(TAG)
def check_rest(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> Iterable[CheckMessage]:
    """What else is in the setting."""
    return _as_far_as_readable(_OF_THE_REST)


@register(TAG, MESSAGING, Tags.database)
def check_server(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **_: Any,
) -> Iterable[CheckMessage]:
    """What only the database server can tell: where `manage.py check --database …` names ours, or
    `migrate` does."""
    if router.db_for_write(Event) not in (databases or ()):
        return []
    return list(check_reachable()) or _as_far_as_readable(
        [check_isolation, check_connections, check_scheduled]
    )


@register(TAG, deploy=True)
def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """What is right on some machines, and not where customers are."""
    return _as_far_as_readable(
        [check_no_allow_list, check_anybody_is_believed, check_guessable_keys]
    )


def _as_far_as_readable(checks: Iterable[Callable[[], Found]]) -> list[CheckMessage]:
    """What each of them finds, until it asks for what cannot be read (E001)."""
    found: list[CheckMessage] = []
    with as_far_as_readable() as asked:
        for check in checks:
            asked.clear()
            for message in check():
                if asked:
                    break
                found.append(message)
    return found


_OF_MESSAGING: tuple[Callable[[], Found], ...] = (
    check_names,
    check_adapters,
    check_routes,
    check_foreign_events,
    check_templates,
    check_tasks,
    check_timeouts,
    check_visibility,
    check_retries,
    check_dead_letter_queues,
    check_rate_limits,
    check_recipient_limits,
    check_reach,
    check_celery,
    check_results,
    check_retention,
    check_order,
    check_whatsapp_templates,
    check_providers,
    check_provider_limits,
    check_fallbacks,
    check_route_names,
)

_OF_THE_REST: tuple[Callable[[], Found], ...] = (
    check_address_hash_keys,
    check_encryption_keys,
    check_process_bind,
    check_hooks,
    check_partials,
    check_allow_list,
    check_chores,
    check_receipt_webhooks,
    check_reputation,
    check_categories,
    check_way_out,
    check_quiet_hours,
    check_digests,
    check_audiences,
    check_editable,
    check_objectives,
    check_metrics,
)
