"""The fields' names on pages, in one table: many models share them.

A `verbose_name` at each would be an AlterField for each, in a migration that alters nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FIELDS: Mapping[str, Promise] = {
    "account": _("account"),
    "action": _("action"),
    "actor": _("actor"),
    "address": _("address"),
    "attempts": _("attempts"),
    "audience": _("audience"),
    "batches": _("batches"),
    "by": _("by"),
    "category": _("category"),
    "change_reason": _("change reason"),
    "changed_by": _("changed by"),
    "channel": _("channel"),
    "code": _("code"),
    "concurrency": _("concurrency"),
    "consumer": _("consumer"),
    "created_by": _("created by"),
    "destination": _("destination"),
    "error_class": _("error class"),
    "event_type": _("event type"),
    "event_types": _("event types"),
    "failures": _("failures"),
    "fingerprint": _("fingerprint"),
    "generation": _("generation"),
    "granted": _("granted"),
    "host": _("host"),
    "id": _("id"),
    "kind": _("kind"),
    "locale": _("locale"),
    "message_id": _("message id"),
    "name": _("name"),
    "note": _("note"),
    "openings": _("openings"),
    "original": _("original"),
    "override": _("override"),
    "paused_by": _("paused by"),
    "people": _("people"),
    "person": _("person"),
    "pid": _("process id"),
    "pool": _("pool"),
    "proof": _("proof"),
    "provider": _("provider"),
    "provider_message_id": _("provider message id"),
    "queue": _("queue"),
    "rate": _("rate"),
    "reason": _("reason"),
    "recipient": _("recipient"),
    "refused": _("refused"),
    "removed_by": _("removed by"),
    "repeated": _("repeated"),
    "resumed_by": _("resumed by"),
    "route": _("route"),
    "slots_used": _("slots used"),
    "source": _("source"),
    "starts": _("starts"),
    "state": _("state"),
    "traceparent": _("traceparent"),
    "tries": _("tries"),
    "type": _("type"),
    "url": _("URL"),
    "version": _("version"),
    "wanted": _("wanted"),
    "worker": _("worker"),
}


def name_fields(app_label: str, names: Mapping[str, Promise]) -> None:
    """Call the fields of the app's models so. A name that a field was given of its own stands.

    Before any form is made of them: a form's labels are read once.
    """
    for model in apps.all_models[app_label].values():
        for field in model._meta.local_fields:
            if field.name in names and field.verbose_name == field.name.replace("_", " "):
                field.verbose_name = names[field.name]  # type: ignore[assignment]
