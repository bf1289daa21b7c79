"""Deletion: Django's action on lists, audited where several rows are deleted at once."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, action
from django.contrib.admin.actions import delete_selected as django_s
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from notifications import audit
from notifications.audit_signals import audits_itself, names_of


@action(permissions=["delete"], description=_("Delete selected %(verbose_name_plural)s"))
def delete_selected(
    model_admin: ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]
) -> TemplateResponse | None:
    """One row is logged, which is heard (`notifications.audit_signals`); several are logged by a
    statement of which no signal tells."""
    model = model_admin.model
    with transaction.atomic(using=router.db_for_write(model)):
        rows = [(row.pk, str(row)) for row in queryset] if "post" in request.POST else []
        asked: TemplateResponse | None = django_s(model_admin, request, queryset)
        if asked is None and len(rows) > 1 and not audits_itself(model):
            audit.record_many(
                "admin.delete",
                [(pk, "") for pk, _ in rows],
                of=model,
                by=request.user.get_username(),
                reason="",
                before=names_of(model, [name for _, name in rows[: audit.NAMED]]),
                after={},
            )
    return asked
