"""What all our pages share: read-only, count-free, exact searches, related rows below the facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from notifications.admin.changelist import KeysetChangeList
from notifications.admin.display import EMPTY
from notifications.admin.related import Section

Row = TypeVar("Row", bound=Model)

if TYPE_CHECKING:

    class _ModelAdmin(admin.ModelAdmin[Row]):
        pass
else:  # Django's own cannot be subscripted when the program runs

    class _ModelAdmin(admin.ModelAdmin, Generic[Row]):
        pass


class FactsAdmin(_ModelAdmin[Row]):
    """Base of the model admins here.

    A subclass gives `ordering` (columns that are never null, the last one unique, an
    index over them), `matching` and, where it helps, `prepare` and `related`.
    """

    actions = None
    empty_value_display = EMPTY
    change_list_template = "admin/notifications/list.html"
    change_form_template = "admin/notifications/facts.html"
    add_form_template = "admin/change_form.html"  # of the few that may be added: Django's own
    list_per_page = 50
    list_defer: ClassVar[Sequence[str]] = ()
    search_fields = ("pk",)  # shows the search box; `matching` is what searches
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ["notifications/admin.css"]}

    def matching(self, term: str) -> Q:
        """What a search for `term` finds: equality on indexed columns only."""
        raise NotImplementedError

    def note(self, request: HttpRequest) -> str:
        """A sentence above the list, where its rows are not the whole story."""
        return ""

    def prepare(self, rows: list[Row]) -> None:
        """Attach what the columns of these rows need, in as many queries as there are tables."""

    def name_of(self, row: Row) -> str:
        """What its page is headed with."""
        return str(row)

    def related(self, request: HttpRequest, row: Row) -> list[Section]:
        """The tables below the facts. Each asks for the permission to view its own rows."""
        return []

    def buttons(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        """What this visitor may do about the row: see `notifications.admin.moves`."""
        return []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Our own filters only: `?address__startswith=` would read addresses letter by letter."""
        return lookup in {getattr(entry, "parameter_name", None) for entry in self.list_filter}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        term = search_term.strip()
        return (queryset.filter(self.matching(term)) if term else queryset), False

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> list[str]:
        return list(flatten_fieldsets(self.get_fieldsets(request, obj)))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Row | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context["subtitle"] = self.name_of(obj)
            context["sections"] = self.related(request, obj)
            context["buttons"] = self.buttons(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)
