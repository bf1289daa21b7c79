"""What is audited of Django's own: who signs in and out, and what is edited by its forms.

Django's log of the admin goes with the user whose it is; an entry of the audit stays. Our own
pages call verbs that audit themselves: of those the log is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import post_save
from django.dispatch import receiver

from notifications import audit

_VERBS = {ADDITION: "add", CHANGE: "change", DELETION: "delete"}


@receiver(user_logged_in)
def _signed_in(user: Any, **_: Any) -> None:
    with audit.through(audit.Door.PAGE):
        audit.record("user.sign_in", by=user.get_username(), target=user)


@receiver(user_logged_out)
def _signed_out(user: Any, **_: Any) -> None:
    if user is not None and user.is_authenticated:
        with audit.through(audit.Door.PAGE):
            audit.record("user.sign_out", by=user.get_username(), target=user)


@receiver(user_login_failed)
def _refused(credentials: dict[str, Any], **_: Any) -> None:
    """By nobody: whoever it was has not proved to be that user. A name that nobody has is left out:
    it may be an address, or a password typed in the wrong place."""
    users = get_user_model()
    typed = str(credentials.get(users.USERNAME_FIELD) or "")
    known = users._default_manager.filter(**{users.USERNAME_FIELD: typed}).first()
    with audit.through(audit.Door.PAGE):
        audit.record(
            "user.sign_in_refused",
            by="",
            target=known or "a name that nobody has",
            after={"name": typed} if known else None,
        )


@receiver(post_save, sender=LogEntry)
def _edited(instance: LogEntry, created: bool, raw: bool = False, **_: Any) -> None:
    model = instance.content_type.model_class() if instance.content_type else None
    if not created or raw or model is None or audits_itself(model):
        return
    audit.record(
        f"admin.{_VERBS[instance.action_flag]}",
        by=instance.user.get_username(),
        target=model(pk=instance.object_id),
        after={**names_of(model, [instance.object_repr]), **_changes(instance.change_message)},
    )


def audits_itself(model: type[Model]) -> bool:
    """Whether what is done on this model's pages is done by verbs that audit it."""
    page = admin.site._registry.get(model)
    return bool(getattr(page, "audits_itself", False))


def names_of(model: type[Model], names: Sequence[str]) -> dict[str, Any]:
    """Of users and groups, of whom nothing may be left; of others it may be a customer's name."""
    return {"names": list(names)} if model._meta.app_label == "auth" else {}


def _changes(message: str) -> dict[str, list[str]]:
    """The fields, by what was done: Django's message without the names of rows in it."""
    try:
        parts = json.loads(message)
    except ValueError:
        return {}
    found: dict[str, list[str]] = {}
    for part in parts if isinstance(parts, list) else ():
        for verb, what in part.items():
            fields = what.get("fields") or ([what["name"]] if "name" in what else [])
            found.setdefault(verb, []).extend(fields)
    return found
