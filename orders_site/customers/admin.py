"""Customers for operators: who they are, how they can be reached, what they agreed to.

All that is masked until it is revealed; only then may it be edited.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from notifications.admin import display, reveal
from notifications.admin.reveal import RevealingAdmin
from notifications.audit import Person
from notifications.models import Delivery
from notifications.suppressions import canonical
from orders_site.admin import EditableAdmin
from orders_site.customers.forms import CustomerForm
from orders_site.customers.models import Customer, Device


def _initial(name: str) -> str:
    return f"{name[:1]}…" if name else ""


@admin.display(description=_("made"))
def _made(model_admin: Any, row: Customer | Device) -> str:
    """Of one that is being added there is no such time."""
    return display.exact(row.created_at) if row.pk else display.EMPTY


class DeviceInline(admin.TabularInline):
    """What push notifications are sent to; edited where the customer's addresses are."""

    model = Device
    extra = 0
    readonly_fields = ["masked", "made"]

    made = _made
    masked = reveal.column("token", _("token"))

    def get_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        token = "token" if self._may_edit(request, obj) else "masked"
        return ["platform", token, "made"]

    def has_add_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return self._may_edit(request, obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return self._may_edit(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return self._may_edit(request, obj) and super().has_delete_permission(request, obj)

    def _may_edit(self, request: HttpRequest, obj: Customer | None) -> bool:
        return self.admin_site.get_model_admin(Customer).may_edit(request, obj)


@admin.register(Customer)
class CustomerAdmin(RevealingAdmin, EditableAdmin):
    form = CustomerForm
    change_form_template = "admin/customers/customer/change_form.html"
    personal = ["first_name", "last_name", "email", "phone", "whatsapp"]
    list_display = [
        "reference",
        "shown_first_name",
        "shown_last_name",
        "shown_email",
        "country",
        "locale",
        "email_consent",
        "sms_consent",
        "whatsapp_consent",
        "push_consent",
    ]
    search_help_text = _("The whole email address or phone number.")
    ordering = ["-id"]
    readonly_fields = ["made", "deliveries"]
    inlines = [DeviceInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("first_name", "last_name"),
                    ("country", "locale", "time_zone"),
                    ("made", "deliveries"),
                ]
            },
        ),
        (_("Reached at"), {"fields": ["email", ("phone", "whatsapp")]}),
        (
            _("Agrees to"),
            {"fields": [("email_consent", "sms_consent", "whatsapp_consent", "push_consent")]},
        ),
    ]

    made = _made
    shown_first_name = reveal.column("first_name", _("first name"), _initial)
    shown_last_name = reveal.column("last_name", _("last name"), _initial)
    shown_email = reveal.column("email", _("email"))
    shown_phone = reveal.column("phone", _("phone"))
    shown_whatsapp = reveal.column("whatsapp", _("whatsapp"))

    def whose(self, row: Customer) -> Person:
        return Person(str(row))

    @admin.display(description=_("customer"))
    def reference(self, customer: Customer) -> str:
        return str(customer)

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """On a masked page with the masks in place of the fields."""
        if self._has_fields(request, obj):
            return self.fieldsets
        return [(title, {"fields": _masked(each["fields"])}) for title, each in self.fieldsets]

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        return [*self.readonly_fields, *map(_mask_of, self.personal)]

    def _has_fields(self, request: HttpRequest, obj: Customer | None) -> bool:
        return self.may_edit(request, obj) and (
            obj is None or self.has_change_permission(request, obj)
        )

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Customer | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context["buttons"] = self.buttons(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description=_("deliveries"))
    def deliveries(self, customer: Customer) -> str:
        if customer.pk is None:
            return display.EMPTY
        told = display.list_url(Delivery, q=f"customer/{customer.pk}")
        return display.link(told, _("what they were told"))

    def matching(self, term: str) -> Q:
        """As it is kept, or in the usual spelling of what was typed."""
        return Q(email__in={term, term.lower()}) | Q(phone__in={term, canonical(term)})


def _mask_of(field: str) -> str:
    return f"shown_{field}"


def _masked(fields: Any) -> Any:
    """The same, each personal one by its mask; lines of several are tuples."""
    if isinstance(fields, str):
        return _mask_of(fields) if fields in CustomerAdmin.personal else fields
    return [_masked(each) for each in fields]
