"""The API's clients for operators: made here, revoked here, and what they placed."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin import display
from notifications.admin.moves import Move, MovingAdmin
from orders_site.api.desk import allow_announcing, make_client, revoke_client
from orders_site.api.exceptions import ClientRefused
from orders_site.api.models import ApiClient
from orders_site.orders.models import Order


def _revoke(client: ApiClient, by: str, reason: str) -> str:
    try:
        revoke_client(name=client.name, by=by, reason=reason)
    except ClientRefused as refusal:
        return str(refusal).rstrip(".")
    return ""


def _allow(client: ApiClient, by: str, reason: str, *, allowed: bool) -> str:
    try:
        allow_announcing(name=client.name, allowed=allowed, by=by, reason=reason)
    except ClientRefused as refusal:
        return str(refusal).rstrip(".")
    return ""


@admin.register(ApiClient)
class ApiClientAdmin(MovingAdmin[ApiClient]):
    """Its token is shown once, when it is made; `manage.py api_clients rotate` gives another."""

    list_display = ("name", "state", "rate_per_minute", "created_by", "age")
    ordering = ("-id",)
    search_help_text = _("The whole name.")
    fieldsets = (
        (None, {"fields": ("name", "state", "rate_per_minute", "orders")}),
        (_("Made"), {"fields": (("created_at", "created_by"), "old_token_until")}),
        (_("Announcements"), {"fields": (("may_announce", "announcing_by"), "announcing_reason")}),
        (_("Revoked"), {"fields": (("revoked_at", "revoked_by"), "revoke_reason")}),
    )
    add_fieldsets = ((None, {"fields": ("name", "rate_per_minute")}),)
    moves = (
        Move(
            "allow",
            _("Let it announce"),
            "allow_announcing",
            partial(_allow, allowed=True),
            lambda client: client.active and not client.may_announce,
        ),
        Move(
            "forbid",
            _("Let it announce no more"),
            "allow_announcing",
            partial(_allow, allowed=False),
            lambda client: client.active and client.may_announce,
        ),
        Move("revoke", _("Revoke"), "revoke_apiclient", _revoke, lambda client: client.active),
    )
    shown_once = "admin/api/apiclient/token.html"

    def matching(self, term: str) -> Q:
        return Q(name=term)

    @admin.display(description=_("state"))
    def state(self, client: ApiClient) -> str:
        return display.badge(
            gettext("active") if client.active else gettext("revoked"), tone=display.QUIET
        )

    @admin.display(description=_("age"))
    def age(self, client: ApiClient) -> str:
        return display.age(client.created_at)

    @admin.display(description=_("orders"))
    def orders(self, client: ApiClient) -> str:
        return display.link(display.list_url(Order, q=client.name), _("what it placed"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fieldsets(self, request: HttpRequest, obj: ApiClient | None = None) -> Any:
        return self.add_fieldsets if obj is None else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> list[str]:
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def save_model(
        self, request: HttpRequest, obj: ApiClient, form: forms.ModelForm, change: bool
    ) -> None:
        """Only ever a new one: what is there is changed by moves."""
        made, obj.token = make_client(
            name=obj.name, rate_per_minute=obj.rate_per_minute, by=request.user.get_username()
        )
        obj.pk = made.pk

    def response_add(
        self, request: HttpRequest, obj: ApiClient, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page itself, not a message: messages are kept in a cookie until they are shown."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The token of %(name)s") % {"name": obj.name},
            "opts": self.opts,
            "client": obj,
            "token": obj.token,
            "page": display.page_url(obj),
        }
        return TemplateResponse(request, self.shown_once, context)
