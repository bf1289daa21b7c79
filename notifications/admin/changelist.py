"""The list page: Django's own, minus every COUNT and every sort that has no index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise, cached_property
from django.utils.text import capfirst

from notifications.admin import export, keyset, search
from notifications.admin.filters import ChoiceFilter
from notifications.exceptions import Unreadable
from notifications.patience import SECONDS, TookTooLong, patience
from notifications.recipients import mask

if TYPE_CHECKING:
    from notifications.admin.facts import FactsAdmin


class KeysetChangeList(ChangeList):
    """Rows in the admin's own order, a page at a time.

    The cursor travels in Django's page parameter, which every filter and search link
    already leaves out: a new filter starts at the first page.
    """

    model_admin: FactsAdmin[Any]
    first_url = previous_url = next_url = ""
    took_too_long = False
    masked_query = ""
    """Of a search whose term is sealed in the page's address."""
    seconds: float = SECONDS

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self._request = request
        super().__init__(request, *args, **kwargs)
        self.title = capfirst(str(self.opts.verbose_name_plural))
        self.note = self.model_admin.note(request)
        self.search_url = self.model_admin.search_url() + self.get_query_string(remove=[SEARCH_VAR])
        self.export = export.button(request, self)
        self.choices = self.model_admin.choices(request, self)

    @cached_property
    def nothing(self) -> Promise | str:
        """What an empty list says that nobody but its own default has narrowed."""
        return self._opened_on.nothing if self._opened_on else ""

    @cached_property
    def elsewhere(self) -> list[Any]:
        """The other choices of that default, each with its address and its words."""
        choices = self._opened_on.choices(self) if self._opened_on else ()
        return [choice for choice in choices if not choice["selected"]]

    @cached_property
    def _opened_on(self) -> ChoiceFilter | None:
        """The only filter at work, if what it chooses is its default; a search is no default."""
        at_work = [
            spec
            for spec in self.filter_specs
            if isinstance(spec, SimpleListFilter) and spec.value() is not None
        ]
        match at_work:
            case [ChoiceFilter() as spec] if not self.query and spec.value() == spec.default:
                return spec
        return None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """The admin's order and no other: what `?o=` names has no index."""
        return list(self.model_admin.get_ordering(request))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        if any("\0" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters("no column holds a NUL")
        try:
            typed = search.from_address(self.query)
        except Unreadable as error:
            raise IncorrectLookupParameters from error
        if typed != self.query:
            self.query, self.masked_query = typed, mask(typed)
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.list_defer)

    def page(self, cursor: str, *, size: int) -> keyset.Page[Any]:
        """The rows of one page, with what their columns need.

        Raises keyset.WrongCursor, and TookTooLong.
        """
        with patience(using=self.queryset.db, seconds=self.seconds):
            page = keyset.page(
                self.queryset,
                ordering=self.get_ordering(self._request, self.queryset),
                size=size,
                cursor=cursor,
                read=self.model_admin.reader(self),
            )
            self.model_admin.prepare(page.rows)
        return page

    def get_results(self, request: HttpRequest) -> None:
        cursor = request.GET.get(PAGE_VAR, "")
        try:
            page = self.page(cursor, size=self.list_per_page)
        except keyset.WrongCursor as error:
            raise IncorrectLookupParameters from error
        except TookTooLong:
            page, self.took_too_long = keyset.Page([]), True
        self.result_list = page.rows
        self.result_count = self.full_result_count = len(page.rows)
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.first_url = self.get_query_string() if cursor else ""
        self.previous_url = self._page_url(page.previous)
        self.next_url = self._page_url(page.next)

    def _page_url(self, cursor: str) -> str:
        return self.get_query_string({PAGE_VAR: cursor}) if cursor else ""
