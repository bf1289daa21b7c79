"""Filters whose choices come from the registries: nothing is scanned to offer them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import consumers, events
from notifications.admin.display import state_label
from notifications.conf import conf

ALL = "all"


class ChoiceFilter(SimpleListFilter):
    """Equality on one column. With a `default`, the list opens on that choice.

    nothing: what an empty list then says, so that nobody takes it for an empty table.
    """

    parameter_name: str
    column: ClassVar[str]
    default: ClassVar[str | None] = None
    nothing: ClassVar[Promise | str] = ""

    def options(self) -> Iterable[str]:
        raise NotImplementedError

    def label(self, option: str) -> str:
        return option

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(option, self.label(option)) for option in self.options()]

    @classmethod
    def chosen(cls, request: HttpRequest) -> str | None:
        """What the list is narrowed to, or None. A search looks everywhere unless told not to."""
        searched = request.GET.get(SEARCH_VAR)
        chosen = request.GET.get(cls.parameter_name) or (None if searched else cls.default)
        return None if chosen == ALL else chosen

    def value(self) -> str | None:
        return self.chosen(self.request)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(
                {self.parameter_name: ALL if self.default else None}
            ),
            "display": gettext("All"),
        }
        for option, title in self.lookup_choices:
            yield {
                "selected": self.value() == option,
                "query_string": changelist.get_query_string({self.parameter_name: option}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(**{self.column: chosen})


class StateFilter(ChoiceFilter):
    title = _("state")
    parameter_name = column = "state"
    states: ClassVar[Iterable[str]]

    def options(self) -> Iterable[str]:
        return [str(state) for state in self.states]

    def label(self, option: str) -> str:
        return state_label(option)


class ChannelFilter(ChoiceFilter):
    title = _("channel")
    parameter_name = column = "channel"

    def options(self) -> Iterable[str]:
        return sorted(conf().channels)


class EventTypeFilter(ChoiceFilter):
    title = _("event type")
    parameter_name = "event_type"
    column = "event_type"

    def options(self) -> Iterable[str]:
        return sorted({kind.name for kind in events.all_event_types()})


class ConsumerFilter(ChoiceFilter):
    title = _("consumer")
    parameter_name = column = "consumer"

    def options(self) -> Iterable[str]:
        return [consumer.name for consumer in consumers.all_consumers()]


class QueueFilter(ChoiceFilter):
    """By queue, the `-bulk` ones included."""

    title = _("queue")
    parameter_name = column = "queue"

    def options(self) -> Iterable[str]:
        return queues()


class WithinFilter(SimpleListFilter):
    """Not older than …; `column` is the time that counts."""

    title = _("created")
    parameter_name = "within"
    column: ClassVar[str] = "created_at"
    spans: ClassVar[dict[str, tuple[timedelta, Any]]] = {
        "15m": (timedelta(minutes=15), _("Last 15 minutes")),
        "1h": (timedelta(hours=1), _("Last hour")),
        "24h": (timedelta(hours=24), _("Last 24 hours")),
        "7d": (timedelta(days=7), _("Last 7 days")),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, title) for name, (_length, title) in self.spans.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.spans.get(self.value() or "")
        if chosen is None:
            return queryset
        return queryset.filter(**{f"{self.column}__gte": timezone.now() - chosen[0]})


def queues() -> list[str]:
    """Every queue's name without the prefix, in order."""
    return [
        name
        for consumer in consumers.all_consumers()
        for name in ([consumer.name, f"{consumer.name}-bulk"] if consumer.bulk else [consumer.name])
    ]
