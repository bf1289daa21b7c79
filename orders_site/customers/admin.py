"""Customers for operators: who they are, how they can be reached, what they agreed to."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q

from notifications.admin import display
from notifications.models import Delivery
from orders_site.admin import EditableAdmin
from orders_site.customers.models import Customer, Device


class DeviceInline(admin.TabularInline):
    model = Device
    extra = 0
    readonly_fields = ["created_at"]


@admin.register(Customer)
class CustomerAdmin(EditableAdmin):
    list_display = [
        "name",
        "email",
        "country",
        "locale",
        "email_consent",
        "sms_consent",
        "whatsapp_consent",
        "push_consent",
    ]
    search_help_text = "The whole email address or phone number."
    ordering = ["-id"]
    readonly_fields = ["created_at", "deliveries"]
    inlines = [DeviceInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("first_name", "last_name"),
                    ("country", "locale", "time_zone"),
                    ("created_at", "deliveries"),
                ]
            },
        ),
        ("Reached at", {"fields": ["email", ("phone", "whatsapp")]}),
        (
            "Agrees to",
            {"fields": [("email_consent", "sms_consent", "whatsapp_consent", "push_consent")]},
        ),
    ]

    @admin.display(description="deliveries")
    def deliveries(self, customer: Customer) -> str:
        if customer.pk is None:
            return display.EMPTY
        told = display.list_url(Delivery, q=f"customer/{customer.pk}")
        return display.link(told, "what they were told")

    def matching(self, term: str) -> Q:
        return Q(email=term.lower()) | Q(phone=term)
