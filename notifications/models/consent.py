"""Consent: who said when, where and how, what they want to hear. Only ever added to."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MOST_TEXT, MOST_NAME = 255, 150
"""Characters of a proof or reason, and of who did it."""


class Consent(models.Model):
    """One change of mind, never edited: what a shop shows who is asked to prove that it may write.

    It is written with the Preference that it changed, in the same statement.
    """

    class Source(models.TextChoices):
        PAGE = "page", _("the preference page")
        ONE_CLICK = "one_click", _("one click in the mail program")
        OPERATOR = "operator", _("an operator")
        API = "api", _("the shop")
        IMPORT = "import", _("an import")
        REPLY = "reply", _("a reply")

    id = models.BigAutoField(primary_key=True)
    person = models.CharField(max_length=255)
    category = models.CharField(max_length=40)
    channel = models.CharField(max_length=40)
    wanted = models.BooleanField()
    source = models.CharField(max_length=12, choices=Source.choices)
    by = models.CharField(max_length=MOST_NAME, blank=True, help_text=_("Who, if not the person."))
    proof = models.CharField(
        max_length=MOST_TEXT,
        blank=True,
        help_text=_("What it came from: a delivery, a form, a letter."),
    )
    reason = models.CharField(
        max_length=MOST_TEXT, blank=True, help_text=_("What an operator gave.")
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consent history")
        indexes = [models.Index(fields=["person", "id"], name="consent_by_person")]

    def __str__(self) -> str:
        return f"{self.person} {'wants' if self.wanted else 'does not want'} {self.what}"

    @property
    def what(self) -> str:
        return f"{self.category} by {self.channel}"
