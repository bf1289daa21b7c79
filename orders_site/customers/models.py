"""Customers: where they can be reached, and over which channels they want to be."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

e164 = RegexValidator(
    r"\A\+[1-9][0-9]{6,14}\Z",
    "Write it as E.164: a plus, the country code and the number, without spaces.",
)


class Customer(models.Model):
    """One person. A channel is used only when there is an address and the person agreed to it."""

    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    phone = models.CharField(
        max_length=16, blank=True, db_index=True, validators=[e164], help_text=_("For SMS.")
    )
    whatsapp = models.CharField(max_length=16, blank=True, validators=[e164])
    country = models.CharField(max_length=2, blank=True, help_text=_('ISO 3166: "AT".'))
    locale = models.CharField(max_length=35, default="en", help_text=_('A language tag: "de-AT".'))
    time_zone = models.CharField(max_length=64, default="UTC", help_text=_('"Europe/Vienna".'))
    email_consent = models.BooleanField(_("agrees to email"), default=True)
    sms_consent = models.BooleanField(_("agrees to SMS"), default=False)
    whatsapp_consent = models.BooleanField(_("agrees to WhatsApp"), default=False)
    push_consent = models.BooleanField(_("agrees to push"), default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    forgotten_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        """Without the name: it stands in titles, in the admin's log and on the pages of orders."""
        return f"customer/{self.pk}"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    def agrees_to(self, channel: str) -> bool:
        """Whether this person wants to be told over `channel` ("email", "sms", …)."""
        return bool(getattr(self, f"{channel}_consent", False))


class Device(models.Model):
    """A phone or browser that takes push notifications, by the token its app gave us."""

    class Platform(models.TextChoices):
        ANDROID = "android", _("Android")
        IOS = "ios", _("iOS")
        WEB = "web", _("Web")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="devices")
    platform = models.CharField(max_length=8, choices=Platform.choices)
    token = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")

    def __str__(self) -> str:
        return f"{self.get_platform_display()} device"
