"""Pages: what the console has beside the lists of rows, and how one is added.

    register(Page("overview", "overview/", _("Overview"), "notifications.view_delivery", overview))

in a module that `notifications.admin` imports, as it does all that stands on the site.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Page:
    """One page of the console.

    name: its URL is `admin:console_<name>`. route: below `console/`, as for `path()`. permission:
    without which nobody gets in, "app.codename"; what it lets be done asks for more. view: takes
    the request and what the route captures. listed: whether the index and the sidebar lead there.
    """

    name: str
    route: str
    title: Promise
    permission: str
    view: View
    listed: bool = True

    @property
    def url_name(self) -> str:
        return f"console_{self.name}"

    def is_open_to(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self.permission))


_registry: dict[str, Page] = {}


def register(page: Page) -> Page:
    """Add a page. One name for two is a configuration error."""
    known = _registry.get(page.name)
    if known is not None and known.view is not page.view:
        raise ImproperlyConfigured(f"Two pages of the console are named {page.name!r}.")
    _registry[page.name] = page
    return page


def all_pages() -> tuple[Page, ...]:
    """Every page, in order of registration."""
    return tuple(_registry.values())


def get(name: str) -> Page | None:
    """The page of that name; None where there is none."""
    return _registry.get(name)


def url(name: str, *args: Any) -> str:
    """Where the page of that name is."""
    return reverse(f"admin:console_{name}", args=args)


def render(
    request: HttpRequest, template: str, *, title: object, **context: Any
) -> TemplateResponse:
    """A page on `admin/notifications/console/<template>`, which extends `console/base.html`."""
    whole = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"admin/notifications/console/{template}", whole)
