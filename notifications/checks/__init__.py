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

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from notifications.checks.allow_list import check_allow_list, check_no_allow_list
from notifications.checks.audiences import check_audiences
from notifications.checks.channels import check_adapters, check_timeouts
from notifications.checks.chores import check_chores
from notifications.checks.database import check_database
from notifications.checks.edited_templates import check_partials
from notifications.checks.hours import check_digests, check_quiet_hours
from notifications.checks.limits import check_rate_limits, check_recipient_limits
from notifications.checks.order import check_order
from notifications.checks.preferences import check_categories, check_way_out
from notifications.checks.providers import (
    check_fallbacks,
    check_provider_limits,
    check_providers,
    check_route_names,
)
from notifications.checks.receipts import check_receipt_webhooks, check_reputation
from notifications.checks.retention import check_retention
from notifications.checks.routes import check_routes, check_templates
from notifications.checks.settings import (
    check_address_hash_keys,
    check_encryption_keys,
    check_hooks,
    check_names,
    check_setting,
)
from notifications.checks.tasks import check_tasks
from notifications.checks.whatsapp import check_whatsapp_templates

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
