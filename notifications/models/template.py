"""Template: what staff have written in place of a repository's files, version by version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

_LABEL = re.compile(r"v\d{1,9}#(\d{1,18})(?:\+|\Z)")


class TemplateQuerySet(models.QuerySet["Template"]):
    def held(self, event_type: str, channel: str, locale: str) -> Template:
        """The template, made if there was none, locked until the caller's transaction ends.

        Of two who save or publish at once the second waits here, and sees what the first has done.
        """
        template, _ = self.get_or_create(event_type=event_type, channel=channel, locale=locale)
        return self.select_for_update(no_key=True).get(pk=template.pk)


class Template(models.Model):
    """One text that people get: of an event type, over a channel, in a language.

    It has a row from the first time that somebody edits it; until then there are only files.
    """

    id = models.BigAutoField(primary_key=True)
    event_type = models.CharField(max_length=100)
    channel = models.CharField(max_length=40)
    locale = models.CharField(
        max_length=35,
        blank=True,
        help_text=_('Lower case, with hyphens: "de-at"; empty: for everybody else.'),
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        constraints = [
            models.UniqueConstraint(
                fields=["event_type", "channel", "locale"], name="template_once"
            ),
        ]
        default_permissions = ("view", "change")
        permissions = [
            ("publish_template", "Can publish, roll back and take back templates"),
            ("send_test_template", "Can send somebody a test of a template"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} by {self.channel}{f' in {self.locale}' if self.locale else ''}"


class TemplateVersionQuerySet(models.QuerySet["TemplateVersion"]):
    """The verbs that move a version, each from its legal state only, in one statement.

    Those who move a template hold its row (`Template.objects.held`), so that what they have read
    of its versions stands until they are done. A version that is published or retired is never
    changed again: workers keep it for as long as they live.
    """

    def draft(self) -> TemplateVersionQuerySet:
        return self.filter(state=TemplateVersion.State.DRAFT)

    def published(self) -> TemplateVersionQuerySet:
        return self.filter(state=TemplateVersion.State.PUBLISHED)

    def add(self, template: Template, parts: Mapping[str, str], *, author: str) -> TemplateVersion:
        """The next version, a draft."""
        return self.create(
            template=template, number=self._next(template), parts=dict(parts), author=author
        )

    def bring_back(
        self, template: Template, older: TemplateVersion, *, by: str, comment: str
    ) -> TemplateVersion:
        """The next version, published with the texts of an older one. The caller has retired the
        one before, in the same transaction."""
        return self.create(
            template=template,
            number=self._next(template),
            parts=older.parts,
            author=by,
            source=older,
            state=TemplateVersion.State.PUBLISHED,
            comment=comment,
            published_by=by,
            published_at=Now(),
        )

    def rewrite(self, pk: int, parts: Mapping[str, str], *, revision: int, author: str) -> bool:
        """Give a draft other texts. False when it is no draft, or was rewritten since `revision`:
        what somebody else has written meanwhile is not to be lost."""
        same = self.draft().filter(pk=pk, revision=revision)
        return bool(
            same.update(parts=dict(parts), author=author, revision=revision + 1, changed_at=Now())
        )

    def publish(self, pk: int, *, revision: int, by: str, comment: str) -> bool:
        """Let a draft be what is sent. False when it is no draft, or was rewritten since
        `revision`. The caller has retired the one before, in the same transaction."""
        same = self.draft().filter(pk=pk, revision=revision)
        return bool(
            same.update(
                state=TemplateVersion.State.PUBLISHED,
                comment=comment,
                published_by=by,
                published_at=Now(),
            )
        )

    def retire(self, template: Template, *, by: str, why: str = "") -> int:
        """Let what is published be sent no longer. How many were: one or none.

        why: where no other version takes its place, whose comment would say it."""
        return (
            self.published()
            .filter(template=template)
            .update(
                state=TemplateVersion.State.RETIRED,
                retired_by=by,
                retired_why=why,
                retired_at=Now(),
            )
        )

    def drop_draft(self, pk: int, *, revision: int) -> bool:
        """Throw a draft away, unless it was rewritten since `revision`."""
        deleted, _ = self.draft().filter(pk=pk, revision=revision).delete()
        return bool(deleted)

    def _next(self, template: Template) -> int:
        last = self.filter(template=template).aggregate(last=models.Max("number"))["last"]
        return (last or 0) + 1

    def labelled(self, label: str) -> TemplateVersion | None:
        """The version that a delivery's `template_version` names; None when that names files."""
        found = _LABEL.match(label)
        return self.filter(pk=int(found[1])).select_related("template").first() if found else None


class TemplateVersion(models.Model):
    """All parts of one template as one unit: an email's subject, text and HTML belong together."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        RETIRED = "retired", _("retired")

    id = models.BigAutoField(primary_key=True)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(help_text=_("From 1 on, within its template."))
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    parts = models.JSONField(
        default=dict, help_text=_('Texts by the field that they fill: "subject", "text", "html".')
    )
    revision = models.PositiveIntegerField(
        default=1, help_text=_("Raised by each save of a draft.")
    )
    author = models.CharField(max_length=150)
    comment = models.CharField(max_length=255, blank=True, help_text=_("Why it was published."))
    source = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The older version that it brings back."),
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now())
    published_by = models.CharField(max_length=150, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.CharField(max_length=150, blank=True)
    retired_why = models.CharField(max_length=255, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = TemplateVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        constraints = [
            models.UniqueConstraint(
                fields=["template", "number"], name="template_version_number_once"
            ),
            models.UniqueConstraint(
                fields=["template"],
                condition=Q(state="published"),
                name="template_published_once",
            ),
            models.UniqueConstraint(
                fields=["template"], condition=Q(state="draft"), name="template_draft_once"
            ),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.template}, version {self.number}"

    @property
    def label(self) -> str:
        """How a delivery names the version that it was rendered with: "v3#17"."""
        return f"v{self.number}#{self.pk}"

    def as_json(self) -> dict[str, Any]:
        """What is said about it outside; not its texts."""
        return {
            "version": self.number,
            "label": self.label,
            "state": self.state,
            "author": self.author,
            "comment": self.comment,
            "changed_at": self.changed_at,
            "published_by": self.published_by,
            "published_at": self.published_at,
        }
