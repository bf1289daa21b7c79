"""The admin site: Django's own, with the console's pages, and every change made through it
audited as such."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _

from notifications import audit
from notifications.console import pages
from notifications.console.deletion import delete_selected
from notifications.console.pages import Page

OURS = ("notifications", "django_celery_results")
"""The apps whose lists an operator needs; the shop's own follow."""


class ConsoleSite(AdminSite):
    """The default site wherever `notifications.console.apps.ConsoleConfig` is installed."""

    index_template = "admin/notifications/index.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")
        self.add_action(delete_selected)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """With what needs a person at the top, for whoever may see the overview."""
        page = pages.get("overview")
        needs = None
        if page is not None and page.is_open_to(request):
            from notifications.console import links  # the admin's modules need this site

            needs = links.needs_of(request)
        return super().index(request, {"needs": needs, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        own: list[URLPattern | URLResolver] = [
            path(f"console/{page.route}", self.admin_view(_guarded(page)), name=page.url_name)
            for page in pages.all_pages()
        ]
        return own + super().get_urls()

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Wrong passwords are counted; over the limit, 429 and when to come back."""
        from notifications.console.login import LoginForm  # needs the models of other apps

        self.login_form = self.login_form or LoginForm
        response = super().login(request, extra_context)
        form = (getattr(response, "context_data", None) or {}).get("form")
        if seconds := getattr(form, "refused_for", 0):
            response.status_code = 429
            response["Retry-After"] = str(seconds)
        return response

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(_audited(view), cacheable)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """One's own, of which Django's log keeps nothing."""
        answer = super().password_change(request, extra_context)
        if request.method == "POST" and answer.status_code == HTTPStatus.FOUND:
            user: Any = request.user
            audit.record("user.password", by=user.get_username(), target=user)
        return answer

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The console first, as an app whose models are its pages, and then what it is about."""
        apps = super().get_app_list(request, app_label)
        ranks = {label: rank for rank, label in enumerate(OURS)}
        apps.sort(key=lambda app: ranks.get(app["app_label"], len(ranks)))
        listed = [page for page in pages.all_pages() if page.listed and page.is_open_to(request)]
        if app_label is not None or not listed:
            return apps
        models = [
            {
                "name": page.title,
                "object_name": page.name,
                "admin_url": reverse(f"admin:{page.url_name}"),
                "view_only": True,
                "perms": {"add": False, "change": False, "delete": False, "view": True},
            }
            for page in listed
        ]
        console = {
            "name": _("Console"),
            "app_label": "console",
            "app_url": models[0]["admin_url"],
            "has_module_perms": True,
            "models": models,
        }
        return [console, *apps]


def _guarded(page: Page) -> Callable[..., HttpResponse]:
    @wraps(page.view)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not page.is_open_to(request):
            raise PermissionDenied
        return page.view(request, *args, **kwargs)

    return view


def _audited(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with audit.through(audit.Door.PAGE):
            return view(request, *args, **kwargs)

    return inner
