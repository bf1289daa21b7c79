"""Export: a list's rows as CSV, all of its pages in one file, masked as the list itself is.

It is read a page at a time by the list's own order: memory stays flat, no transaction is held open
while a slow client reads, and however long that takes no row is doubled.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import number_format
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications import audit
from notifications.admin import download
from notifications.admin.display import EMPTY
from notifications.admin.download import Download
from notifications.admin.permitted import refusal
from notifications.admin.search import identifier
from notifications.models import Delivery
from notifications.redaction import redact

if TYPE_CHECKING:
    from notifications.admin.changelist import KeysetChangeList
    from notifications.admin.facts import FactsAdmin

PERMISSION = "notifications.export_rows"
MOST = 100_000
"""Rows of one file."""

PAGE = 1_000
"""Rows in memory at a time."""

BOM = "\ufeff"
"""By which a spreadsheet knows that it is UTF-8."""

CUT = "# Cut after {count} rows, there are more: narrow the filter."
# What spreadsheets take for a formula (OWASP, "CSV Injection"), also behind what they skip, and
# in the full width that some of them fold.
_FORMULA = re.compile(r"[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_TIME = re.compile(r'<time datetime="([^"]*)".*?</time>', re.DOTALL)
_SHORT_NUMBER = re.compile(r"#?[0-9]{1,8}", re.ASCII)
_KEY = re.compile(r"(^|_)(pk|id|fingerprint|hash)$")
_REFERENCE = re.compile(r"[a-z_-]+/[0-9]+(/[a-z_-]+/[0-9]+)*")


class Export:
    """The text of one file, in pieces, to be read once. Audited when it begins and when it ends,
    also when nobody reads to the end.

    by: who asked for it. mark: what it begins with, such as BOM. download: what ends with it.
    """

    def __init__(
        self,
        changelist: KeysetChangeList,
        *,
        by: str,
        most: int = MOST,
        mark: str = "",
        download: Download | None = None,
    ) -> None:
        self.changelist = changelist
        self._download = download
        self.by, self.most, self.mark = by, most, mark
        self.rows = 0
        self._language = translation.get_language()
        self._door = audit.door()
        self._ended = "interrupted"
        self._record("export.begin")

    @property
    def file_name(self) -> str:
        return f"{self.changelist.opts.model_name}-{timezone.now():%Y-%m-%dT%H%MZ}.csv"

    def __iter__(self) -> Iterator[str]:
        names = columns(self.changelist.model_admin)
        with translation.override(self._language):
            first = _lines([headings(self.changelist.model_admin)])
        yield self.mark + first
        following: str | None = ""
        while following is not None:
            following, text = self._page(names, following)
            yield text

    def close(self) -> None:
        """It is read to its end, or whoever read it has gone."""
        if self._download:
            self._download.end()
        if self._ended:
            self._record("export.csv", ended=self._ended)
            self._ended = ""

    def _page(self, names: list[str], cursor: str) -> tuple[str | None, str]:
        """The cursor of the page after this one, and the text of this."""
        # Whoever iterates may have gone on to another visitor's language meanwhile.
        with translation.override(self._language):
            page = self.changelist.page(cursor, size=min(PAGE, self.most - self.rows))
            text = _lines([self._cell(name, row) for name in names] for row in page.rows)
        self.rows += len(page.rows)
        if page.next and self.rows < self.most:
            return page.next, text
        self._ended = "cut" if page.next else "complete"
        return None, text + (_lines([[CUT.format(count=self.rows)]]) if page.next else "")

    def _cell(self, name: str, row: Model) -> str:
        value = lookup_field(name, row, self.changelist.model_admin)[2]
        return cell(value, is_key=bool(_KEY.search(name)))

    def _record(self, action: str, **after: Any) -> None:
        with audit.through(self._door):
            audit.record(
                action,
                by=self.by,
                target=self.changelist.opts.label_lower,
                after={"filter": asked(self.changelist), "rows": self.rows, **after},
                count=self.rows,
            )


def columns(model_admin: FactsAdmin[Any]) -> list[str]:
    """What its admin declares, or else what its list shows, behind each row's key."""
    shown = [str(name) for name in model_admin.list_display if name != ACTION_CHECKBOX_NAME]
    return list(model_admin.export_columns) or ["pk", *shown]


def headings(model_admin: FactsAdmin[Any]) -> list[str]:
    """Names that are declared are for programs; what is only shown is headed as it is there."""
    if model_admin.export_columns:
        return list(model_admin.export_columns)
    _, *shown = columns(model_admin)
    labels = [label_for_field(name, model_admin.model, model_admin) for name in shown]
    return ["pk", *map(str, labels)]


def cell(value: Any, *, is_key: bool = False) -> str:
    """One value as a spreadsheet is to take it: as text or a number, never as a formula, and
    without addresses. A key stands as it is, though it may look like a phone number, and so does
    a reference: "order/1234567890".

    Of what a list shows as HTML, the text; of an age, the moment.
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return str(value)
        case datetime():
            return timezone.localtime(value).isoformat(timespec="milliseconds")
        case SafeString():
            text = html.unescape(strip_tags(_TIME.sub(r" \1 ", value).replace("<", " <")))
        case _:
            text = str(value)
    if text == EMPTY:
        return ""
    text = text.replace("\0", "")
    text = text if is_key or _REFERENCE.fullmatch(text) else redact(text)
    told = " ".join(text.split())
    return f"'{told}" if _FORMULA.match(text) else told


def asked(changelist: KeysetChangeList) -> Mapping[str, str]:
    """The list's filters as the audit keeps them, and its search, if it cannot be a person's."""
    kept = {name: ",".join(values) for name, values in changelist.get_filters_params().items()}
    if term := changelist.query.strip():
        is_key = identifier(term) or _SHORT_NUMBER.fullmatch(term)
        kept[SEARCH_VAR] = term if is_key else audit.Person(term).hashed
    return kept


def button(request: HttpRequest, changelist: KeysetChangeList) -> Mapping[str, Any]:
    """For the top of the list."""
    return {
        "url": url(changelist) + changelist.get_query_string(),
        "why_not": refusal(request, Delivery._meta, "export_rows"),
        "most": number_format(MOST, force_grouping=True),
    }


def respond(model_admin: FactsAdmin[Any], request: HttpRequest) -> HttpResponseBase:
    """The file, as a download, for whoever may have it and has no other under way."""
    if not (_may(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    by = request.user.get_username()
    begun = download.begin(by=by)
    if begun is None:
        return _refuse(model_admin, request, by=by)
    changelist = model_admin.list_of(request)
    if changelist is None or changelist.took_too_long:
        begun.end()
        return HttpResponseRedirect(_list_url(model_admin))
    export = Export(changelist, by=by, most=MOST, mark=BOM, download=begun)
    headers = {
        "Content-Disposition": f'attachment; filename="{export.file_name}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(export, content_type="text/csv; charset=utf-8", headers=headers)


def _refuse(model_admin: FactsAdmin[Any], request: HttpRequest, *, by: str) -> HttpResponseBase:
    """Back to the same list, which is not read before."""
    audit.record("export.refused", by=by, target=model_admin.opts.label_lower)
    messages.error(
        request,
        _("An export of yours is still under way. Wait for that download, or cancel it."),
    )
    asked = request.GET.urlencode()
    return HttpResponseRedirect(_list_url(model_admin) + (f"?{asked}" if asked else ""))


def _list_url(model_admin: FactsAdmin[Any]) -> str:
    return reverse(f"admin:{_name(model_admin.opts)}_changelist")


def url(changelist: KeysetChangeList) -> str:
    return reverse(f"admin:{_name(changelist.opts)}_export")


def _name(opts: Any) -> str:
    return f"{opts.app_label}_{opts.model_name}"


def _may(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(PERMISSION))


def _lines(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()
