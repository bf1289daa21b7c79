"""What all our pages share: read-only, count-free, exact searches, related rows below the facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from notifications.admin import export, keyset, search
from notifications.admin.changelist import KeysetChangeList
from notifications.admin.display import EMPTY
from notifications.admin.related import Section, audited

Row = TypeVar("Row", bound=Model)

LONGEST_ADDRESS = 2000
"""Characters of a page's address; web servers and proxies refuse longer ones (gunicorn: 4094)."""

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
    audits_itself = True  # so of what its verbs do Django's log is no news
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    export_columns: ClassVar[Sequence[str]] = ()
    """Fields, and methods as in `list_display`; none: what the list shows."""

    class Media:
        css = {"all": ["notifications/admin.css"]}

    def matching(self, term: str) -> Q:
        """What a search for `term` finds: equality on indexed columns only."""
        raise NotImplementedError

    def note(self, request: HttpRequest) -> str:
        """A sentence above the list, where its rows are not the whole story."""
        return ""

    def choices(self, request: HttpRequest, changelist: KeysetChangeList) -> list[dict[str, Any]]:
        """What may be done to many rows at once: see `notifications.admin.selection`."""
        return []

    def prepare(self, rows: list[Row]) -> None:
        """Attach what the columns of these rows need, in as many queries as there are tables."""

    def name_of(self, row: Row) -> str:
        """What its page is headed with."""
        return str(row)

    def related(self, request: HttpRequest, row: Row) -> list[Section]:
        """The tables below the facts. Each asks for the permission to view its own rows."""
        return []

    def audited(self, request: HttpRequest, row: Row) -> list[Section]:
        """The last of these tables: what was done to the row."""
        return audited(request, row)

    def buttons(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        """What this visitor may do about the row: see `notifications.admin.moves`."""
        return []

    def reader(self, changelist: KeysetChangeList) -> keyset.Read:
        """How the rows of this list are read, where its index alone would be a long walk."""
        return keyset.read

    def list_of(self, request: HttpRequest) -> KeysetChangeList | None:
        """The list that this address names; None: it makes no sense."""
        try:
            return self.get_changelist_instance(request)  # type: ignore[return-value]
        except IncorrectLookupParameters:
            return None

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[..., HttpResponseBase]] = {
            "export": partial(export.respond, self),
            "search": self.search_view,
        }
        own = [
            path(
                f"{page}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{page}",
            )
            for page, view in views.items()
        ]
        return own + super().get_urls()

    def search_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_search")

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """From what was typed to the list of it, of whose address logs keep copies."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.copy()
        asked.pop(SEARCH_VAR, None)
        if term := request.POST.get(SEARCH_VAR, "").strip():
            asked[SEARCH_VAR] = search.in_address(term)
        listed = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        address = f"{listed}?{asked.urlencode()}" if asked else listed
        if len(address) > LONGEST_ADDRESS:
            messages.error(request, gettext("That is too long to search for."))
            return HttpResponseRedirect(listed)
        return HttpResponseRedirect(address)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django shows the whole list in place of one that it cannot read, and says nothing."""
        if ERROR_FLAG in request.GET:
            said = gettext("The filter could not be read. This is the list without one.")
            messages.error(request, said)
        return super().changelist_view(request, extra_context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Row | None:
        """None, too, for what no key can be: PostgreSQL refuses a text with a NUL."""
        if "\0" in object_id:
            return None
        return super().get_object(request, object_id, from_field)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Our own filters only: `?address__startswith=` would read addresses letter by letter."""
        return lookup in self.filter_names()

    def filter_names(self) -> set[str]:
        """The parameters of our filters, as they stand in the address."""
        one = {getattr(entry, "parameter_name", None) for entry in self.list_filter}
        several = {name for entry in self.list_filter for name in getattr(entry, "parameters", ())}
        return {name for name in one | several if name}

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
            context["sections"] = [*self.related(request, obj), *self.audited(request, obj)]
            context["buttons"] = self.buttons(request, obj)
            context |= self.page_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page_context(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """What a row's page has besides, for its own template."""
        return {}
