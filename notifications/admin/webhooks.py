"""Webhook endpoints: the partners who are posted events. They are added and disabled here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import webhooks
from notifications.admin import columns, display
from notifications.admin.display import EMPTY
from notifications.admin.filters import StateFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.exceptions import EndpointRefused
from notifications.models import Delivery, WebhookEndpoint
from notifications.models.webhook_endpoint import id_of
from notifications.recipients import mask


class EndpointStateFilter(StateFilter):
    states = WebhookEndpoint.State


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.CharField(label=_("URL"), widget=forms.URLInput(attrs={"size": 80}))
    event_types = forms.MultipleChoiceField(
        label=_("Event types"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: every one that is routed to webhooks, those to come too."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "event_types")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types: Any = self.fields["event_types"]
        types.choices = [(kind, kind) for kind in webhooks.routed_types()]
        if not types.choices:
            types.help_text = _("No event type is routed to webhooks yet: nothing will be posted.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                webhooks.check(**cleaned)
            except EndpointRefused as error:
                raise forms.ValidationError(error.message) from None
        return cleaned


def _enable(endpoint: WebhookEndpoint, by: str, reason: str) -> str:
    return "" if webhooks.enable(endpoint, by=by, reason=reason) else _already(_("enabled"))


def _disable(endpoint: WebhookEndpoint, by: str, reason: str) -> str:
    return "" if webhooks.disable(endpoint, by=by, reason=reason) else _already(_("disabled"))


def _rotate(endpoint: Any, by: str, reason: str) -> str:
    try:
        # Not again: a page that is loaded anew, or a second press, would end what a partner knows.
        endpoint.shown = webhooks.rotate(endpoint, by=by, reason=reason, again=False)
    except EndpointRefused as error:
        return error.message
    return ""


def _already(state: Promise) -> str:
    return gettext("it is %(state)s already") % {"state": state}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(MovingAdmin[WebhookEndpoint]):
    """A secret is shown once, when it is made. `manage.py webhooks` does the same, and a third
    one while the first signs still."""

    list_display = (
        "name",
        "state_badge",
        "host",
        "wanted",
        "failures",
        "failing",
        "last_success",
        "why",
    )
    list_filter = (EndpointStateFilter,)
    ordering = ("id",)
    search_help_text = _("Exactly a name, an id, or how a delivery names it (endpoint/…).")
    fieldsets = (
        (_("What"), {"fields": (("name", "host"), "wanted", "its_deliveries")}),
        (_("State"), {"fields": (("state_badge", "changed", "changed_by"), "whole_reason")}),
        (
            _("How it does"),
            {
                "fields": (
                    ("failures", "failing_exactly", "rest"),
                    ("last_success_exactly", "last_failure"),
                    "whole_error",
                )
            },
        ),
        (_("Secret"), {"fields": ("old_until",)}),
        (_("Made"), {"fields": (("created", "created_by"),)}),
    )
    add_fieldsets = ((None, {"fields": ("name", "url", "event_types")}),)
    moves = (
        Move(
            "disable",
            _("Disable"),
            "change_webhookendpoint",
            _disable,
            lambda endpoint: endpoint.is_enabled,
        ),
        Move(
            "enable",
            _("Enable"),
            "change_webhookendpoint",
            _enable,
            lambda endpoint: not endpoint.is_enabled,
        ),
        Move(
            "rotate",
            _("New secret"),
            "change_webhookendpoint",
            _rotate,
            lambda endpoint: not endpoint.is_rotating(timezone.now()),
        ),
    )
    add_form_template = "admin/change_form.html"
    shown_once = "admin/notifications/secret.html"

    state_badge = columns.state()
    failing = columns.ago("failing_since", _("failing"))
    failing_exactly = columns.moment("failing_since", _("failing since"))
    rest = columns.moment("left_alone_until", _("left alone until"))
    last_success = columns.ago("last_success_at", _("last success"))
    last_success_exactly = columns.moment("last_success_at", _("last success"))
    last_failure = columns.moment("last_failure_at", _("last failure"))
    why = columns.short("reason", _("reason"))
    whole_reason = columns.whole("reason", _("reason"))
    whole_error = columns.whole("last_error", _("last error"))
    old_until = columns.moment("old_secret_until", _("the one before signs too until"))
    created = columns.moment("created_at", _("when"))
    changed = columns.moment("changed_at", _("since"))

    def matching(self, term: str) -> Q:
        found = Q(name=term)
        identity = id_of(term) or webhooks.identity_of(term)
        return found | Q(pk=identity) if identity else found

    @admin.display(description=_("at"))
    def host(self, endpoint: WebhookEndpoint) -> str:
        return mask(endpoint.url)

    @admin.display(description=_("wants"))
    def wanted(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.event_types) or gettext("every event")

    @admin.display(description=_("deliveries"))
    def its_deliveries(self, endpoint: WebhookEndpoint) -> str:
        url = display.list_url(Delivery, q=endpoint.reference)
        return display.link(url, gettext("what it was sent")) if endpoint.pk else EMPTY

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **_: Any
    ) -> Any:
        return super().get_form(request, obj, change) if obj else EndpointForm

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return self.add_fieldsets if obj is None else self.fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> list[str]:
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only ever a new one: what is there is changed by moves."""
        added = webhooks.add(**form.cleaned_data, by=request.user.get_username())
        obj.pk, obj.shown = added.endpoint.pk, added.secret

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show(request, obj)

    def moved(self, request: HttpRequest, move: Move, row: Any) -> HttpResponse:
        return (
            self._show(request, row) if move.name == "rotate" else super().moved(request, move, row)
        )

    def _show(self, request: HttpRequest, endpoint: Any) -> HttpResponse:
        """The page itself, not a message: messages are kept in a cookie until they are shown."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The secret of %(name)s") % {"name": endpoint.name},
            "opts": self.opts,
            "secret": endpoint.shown,
            "page": display.page_url(endpoint),
        }
        return TemplateResponse(request, self.shown_once, context)
