"""What the shop's admin pages share: lists that count no table, Django's own forms."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from notifications.admin.changelist import KeysetChangeList
from notifications.admin.facts import FactsAdmin


class ActingChangeList(KeysetChangeList):
    """The count-free list, with actions."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.show_admin_actions = True


class ShopAdmin(FactsAdmin):
    """Lists of the same make as those of events and deliveries; nothing changes but by actions."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return ActingChangeList


class EditableAdmin(ShopAdmin):
    """Lists of that make before forms that may be saved."""

    change_form_template = None
    audits_itself = False
    has_add_permission = admin.ModelAdmin.has_add_permission
    has_change_permission = admin.ModelAdmin.has_change_permission
    has_delete_permission = admin.ModelAdmin.has_delete_permission
    get_readonly_fields = admin.ModelAdmin.get_readonly_fields
    render_change_form = admin.ModelAdmin.render_change_form
