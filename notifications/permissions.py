"""Permissions: who may do what here, and the three groups that a migration makes of them.

The groups hold at least what stands here: each `manage.py migrate` gives them what they lack, so
that they know the pages of a later version. What a shop gives them besides stays theirs; a group
that it has deleted does not come back. What is not here (changing users) is for whom a shop names
itself. Its own permissions it adds when it is ready:

    permissions.grant(permissions.READER, "orders.view_order")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps as installed
from django.db import router

READER = "Notifications: reader"
OPERATOR = "Notifications: operator"
ADMINISTRATOR = "Notifications: administrator"

OPERATORS = (
    "view_personal_data",
    "resend_delivery",
    "settle_delivery",
    "discard_delivery",
    "redrive_deadletter",
    "discard_deadletter",
    "change_failurenote",
    "change_scheduledevent",
    "run_bulk_job",
    "pause_sending",
    "pause_announcement",
    "add_suppression",
)
"""What an operator may, beside seeing everything."""

ADMINISTRATORS = (
    "edit_and_resend_delivery",
    "override_refusals",
    "export_rows",
    "change_ratelimit",
    "cancel_announcement",
    "lift_suppression",
    "lift_complaint",
    "add_preference",
    "change_preference",
    "change_template",
    "publish_template",
    "send_test_template",
    "add_webhookendpoint",
    "change_webhookendpoint",
)
"""What an administrator may, beside what an operator may."""


NOT_FOR_READERS = ("view_auditentry", "view_conversation", "view_consent", "view_preference")
"""What colleagues did, and what a person has said and wants: for operators, not for readers."""

_granted: dict[str, set[str]] = {READER: set(), OPERATOR: set(), ADMINISTRATOR: set()}


def grant(group: str, *names: str) -> None:
    """Have the group hold these, too, as those above it then do: "app.codename"."""
    _granted[group].update(names)


def table() -> Mapping[str, frozenset[str]]:
    """What each group holds at least, as "app.codename"."""
    models = installed.get_app_config("notifications").get_models()
    listed = [model._meta for model in models if "view" in model._meta.default_permissions]
    views = _ours(f"view_{each.model_name}" for each in listed) - _ours(NOT_FOR_READERS)
    if installed.is_installed("django_celery_results"):
        views |= {f"django_celery_results.view_{name}" for name in ("taskresult", "groupresult")}
    reader = views | _granted[READER]
    operator = reader | _ours(NOT_FOR_READERS) | _ours(OPERATORS) | _granted[OPERATOR]
    administrator = operator | _ours(ADMINISTRATORS) | _granted[ADMINISTRATOR]
    return {
        READER: frozenset(reader),
        OPERATOR: frozenset(operator),
        ADMINISTRATOR: frozenset(administrator),
    }


def _ours(codenames: Iterable[str]) -> set[str]:
    return {f"notifications.{codename}" for codename in codenames}


def furnish(*, using: str, apps: Any = installed, **_: Any) -> None:
    """After `migrate`: give each group that exists what it lacks of the table.

    apps: as the migrations have left them; of a part of them, where only a part was applied.
    """
    try:
        Group, Permission = (apps.get_model("auth", name) for name in ("Group", "Permission"))
    except LookupError:  # a project without users
        return
    if not router.allow_migrate_model(using, Group):
        return
    from django.contrib.auth.management import create_permissions

    groups = {each.name: each for each in Group.objects.using(using).filter(name__in=_granted)}
    if not groups:
        return
    named = table()
    for label in sorted({name.partition(".")[0] for name in named[ADMINISTRATOR]}):
        config = installed.get_app_config(label)
        create_permissions(config, verbosity=0, using=using, apps=apps)
    found = Permission.objects.using(using).select_related("content_type")
    known = {f"{each.content_type.app_label}.{each.codename}": each for each in found}
    for name, group in groups.items():
        group.permissions.add(*(known[each] for each in named[name] if each in known))
