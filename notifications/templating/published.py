"""Published: which edited versions are in force, as this process last saw it.

A look costs one small query a second and process. A version's texts are read and compiled when
it is first used, and kept: what is published is never changed again, only replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.db import connections, router, transaction
from django.template.base import Template

from notifications.glance import Glance
from notifications.models import TemplateVersion
from notifications.templating import sandbox

KEPT = 500
"""Versions whose compiled texts one process keeps, the latest used."""

Place = tuple[str, str, str]
"""Event type, channel, locale."""


@dataclass(frozen=True)
class Published:
    """A version in force. `label` is what a delivery keeps of it."""

    pk: int
    label: str

    def part(self, field: str) -> Template | None:
        """The compiled text that fills `field`; None where the version leaves it out."""
        return _compiled(self.pk).get(field)


def look() -> Mapping[Place, Published]:
    """What is in force, at most a second old.

    Raises the database's error if it was never read: a repository's file must not be sent in
    place of what staff have published, because the database was away.
    """
    seen = _glance.look()
    return read() if seen is None else seen


def look_again() -> None:
    """The next look reads the database: this process has published something, or is about to."""
    _glance.age()


def look_again_after_commit() -> None:
    """At once, for whatever this transaction renders yet, and once others can see it too."""
    look_again()
    transaction.on_commit(look_again, using=router.db_for_write(TemplateVersion))


def read() -> Mapping[Place, Published]:
    """What is in force, from the database, now. Leaves the connection as it found it."""
    connection = connections[router.db_for_write(TemplateVersion)]
    was_open = connection.connection is not None
    columns = ("template__event_type", "template__channel", "template__locale", "number", "pk")
    try:
        rows = TemplateVersion.objects.using(connection.alias).published()
        return {
            (event_type, channel, locale): Published(pk, f"v{number}#{pk}")
            for event_type, channel, locale, number, pk in rows.values_list(*columns)
        }
    finally:
        if not was_open:
            connection.close()


@lru_cache(maxsize=KEPT)
def _compiled(pk: int) -> Mapping[str, Template]:
    rows = TemplateVersion.objects.using(router.db_for_write(TemplateVersion))
    version = rows.select_related("template").get(pk=pk)
    return {
        field: sandbox.compiled(f"{version}, {field}", text)
        for field, text in version.parts.items()
        if text.strip()
    }


_glance: Glance[Mapping[Place, Published] | None] = Glance(
    read, nothing=None, name="published templates"
)
