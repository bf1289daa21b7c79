"""Filters whose choices come from the registries: nothing is scanned to offer them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import consumers, events, filters
from notifications.admin.display import state_label
from notifications.conf import conf

ALL = "all"
BOUNDS = ("since", "until")


class ChoiceFilter(SimpleListFilter):
    """Equality on one column. With a `default`, the list opens on that choice. The URL may name
    several values: "?state=failed,unknown".

    nothing: what an empty list then says, so that nobody takes it for an empty table. groups:
    values that may be chosen together, by a name of their own.
    """

    parameter_name: str
    column: ClassVar[str]
    default: ClassVar[str | None] = None
    nothing: ClassVar[Promise | str] = ""
    groups: ClassVar[Mapping[str, Sequence[str]]] = {}

    def options(self) -> Iterable[str]:
        raise NotImplementedError

    def label(self, option: str) -> str:
        return option

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(option, self.label(option)) for option in (*self.groups, *self.options())]

    @classmethod
    def chosen(cls, request: HttpRequest) -> str | None:
        """What the list is narrowed to, or None. A search looks everywhere unless told not to."""
        searched = request.GET.get(SEARCH_VAR)
        chosen = request.GET.get(cls.parameter_name) or (None if searched else cls.default)
        return None if chosen == ALL else chosen

    def value(self) -> str | None:
        return self.chosen(self.request)

    def values(self) -> list[str]:
        """The values that are chosen, those of a group one by one; none: all are."""
        chosen = self.value()
        names = [] if chosen is None else chosen.split(",")
        return [value for name in names for value in self.groups.get(name, [name])]

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
        match self.values():
            case []:
                return queryset
            case [only]:
                return queryset.filter(**{self.column: only})
            case several:
                return queryset.filter(**{f"{self.column}__in": several})


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
        return queryset.filter(**filters.between(self.column, self.bounds()))

    def bounds(self) -> dict[str, str]:
        """As a job's filter has them: "since", if anything is chosen."""
        chosen = self.spans.get(self.value() or "")
        return {"since": (self._now - chosen[0]).isoformat()} if chosen else {}

    @cached_property
    def _now(self) -> datetime:
        return timezone.now()


class BetweenFilter(ListFilter):
    """From one time on, before another: "?since=2026-11-20T14:00&until=90m", as commands take
    them."""

    title = _("time")
    template = "admin/notifications/between.html"
    parameters = BOUNDS
    column: ClassVar[str] = "created_at"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Any], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self._moments: dict[str, datetime] = {}
        for name in BOUNDS:
            if given := params.pop(name, [""])[-1].strip():
                try:
                    self._moments[name] = filters.moment(given)
                except ValueError as error:
                    raise IncorrectLookupParameters(str(error)) from None

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*BOUNDS]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """One: what its form holds, and what the other filters have chosen, which it keeps."""
        others = {
            name: value for name, value in changelist.filter_params.items() if name not in BOUNDS
        }
        yield {
            "others": [(name, value) for name, values in others.items() for value in values],
            **{name: timezone.localtime(at) for name, at in self._moments.items()},
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**filters.between(self.column, self.bounds()))

    def bounds(self) -> dict[str, str]:
        return {name: at.isoformat() for name, at in self._moments.items()}


def chosen(changelist: ChangeList) -> dict[str, Any]:
    """What the list's filters leave, as a job's filter says it."""
    wanted: dict[str, Any] = {}
    for spec in changelist.filter_specs:
        match spec:
            case ChoiceFilter() if values := spec.values():
                wanted[spec.column] = values
            case WithinFilter() | BetweenFilter():
                for name, at in spec.bounds().items():
                    wanted[name] = max(at, wanted.get(name, at), key=filters.moment)
    return wanted


def queues() -> list[str]:
    """Every queue's name without the prefix, in order."""
    return [
        name
        for consumer in consumers.all_consumers()
        for name in ([consumer.name, f"{consumer.name}-bulk"] if consumer.bulk else [consumer.name])
    ]
