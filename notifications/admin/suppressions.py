"""Suppressions: addresses that nothing is sent to, why, and who put them on the list or took them
off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import suppressions
from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, badge, state_label
from notifications.admin.filters import ChannelFilter, ChoiceFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.conf import conf
from notifications.models import Delivery, Suppression
from notifications.suppressions import ComplaintStands

if TYPE_CHECKING:
    _SuppressionForm = forms.ModelForm[Suppression]
else:
    _SuppressionForm = forms.ModelForm

IN_FORCE, OVER = "in_force", "over"


class InForceFilter(ChoiceFilter):
    title = _("state")
    parameter_name = column = "state"
    default = IN_FORCE
    nothing = _("No address is suppressed.")

    def options(self) -> Iterable[str]:
        return [IN_FORCE, OVER]

    def label(self, option: str) -> str:
        return state_label(option)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return (
            queryset if chosen is None else queryset.filter(removed_at__isnull=chosen == IN_FORCE)
        )


class ReasonFilter(ChoiceFilter):
    title = _("reason")
    parameter_name = column = "reason"

    def options(self) -> Iterable[str]:
        return Suppression.Reason.values


class SuppressionForm(_SuppressionForm):
    """An address that an operator puts on the list. What is kept of it is a hash."""

    channel = forms.ChoiceField(choices=lambda: [(name, name) for name in conf().channels])
    address = forms.CharField(
        max_length=suppressions.MOST_ADDRESS,
        widget=forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
        help_text=_("Nothing is sent to it any more, not even about an order. Kept as a hash."),
    )
    note = forms.CharField(
        label=_("Why"), max_length=255, widget=forms.TextInput(attrs={"size": 60})
    )

    class Meta:
        model = Suppression
        fields = ("channel", "reason", "note")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        whole = "channel" in cleaned and "address" in cleaned
        if whole and (why := suppressions.problem_of(cleaned["channel"], cleaned["address"])):
            self.add_error("address", why)
        return cleaned


def _lift(row: Suppression, by: str, reason: str, *, although_complained: bool = False) -> str:
    """Of the whole address, whatever it is suppressed for: half of it would be none."""
    try:
        lifted = suppressions.lift(
            channel=row.channel,
            address_hash=row.address_hash,
            by=by,
            reason=reason,
            although_complained=although_complained,
        )
    except ComplaintStands as error:
        return str(error)
    return "" if lifted else str(_("it is lifted already"))


def _lift_although(row: Suppression, by: str, reason: str) -> str:
    return _lift(row, by, reason, although_complained=True)


def _is_complaint(row: Suppression) -> bool:
    return row.removed_at is None and row.reason == Suppression.Reason.COMPLAINT


@admin.register(Suppression)
class SuppressionAdmin(MovingAdmin[Suppression]):
    """Opens on what holds something back now, the latest first."""

    form = SuppressionForm
    list_display = ("state", "address_shown", "channel", "why", "note_short", "by", "since")
    list_display_links = ("address_shown",)
    list_filter = (InForceFilter, ReasonFilter, ChannelFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly an email address, a phone number, or a row's number.")
    fieldsets = (
        (_("What"), {"fields": (("state", "channel", "address_shown"), "why")}),
        (_("Since"), {"fields": (("created", "by"), "whole_note")}),
        (_("Lifted"), {"fields": (("removed", "removed_by"), "whole_reason")}),
    )
    moves = (
        Move(
            "lift",
            _("Let it be sent to again"),
            "lift_suppression",
            _lift,
            lambda row: row.removed_at is None and not _is_complaint(row),
        ),
        Move(
            "lift_complaint",
            _("They have asked for it: let it be sent to again"),
            "lift_complaint",
            _lift_although,
            _is_complaint,
        ),
    )

    created = columns.moment("created_at", _("when"))
    since = columns.ago("created_at", _("since"))
    removed = columns.moment("removed_at", _("when"))
    note_short = columns.short("note", _("note"))
    whole_note = columns.whole("note", _("note"))
    whole_reason = columns.whole("removed_reason", _("reason"))

    def matching(self, term: str) -> Q:
        known = {*suppressions.hashes(term), *search.addresses(term)}
        found = Q(address_hash__in=known)
        if number := search.number(term):
            found |= Q(pk=number)
        return found

    def related(self, request: HttpRequest, row: Suppression) -> list[related.Section]:
        cause = Delivery.objects.filter(pk__in=[row.delivery_id] if row.delivery_id else [])
        there = Delivery.objects.filter(address_hash=row.address_hash, channel=row.channel)
        return [
            *related.deliveries(request, cause, title=_("What made it so")),
            *related.deliveries(request, there, title=_("What was to be sent there")),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fieldsets(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["channel", "address", "reason", "note"]})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Suppression | None = None
    ) -> list[str]:
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"reason": Suppression.Reason.OPERATOR}

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        """By the verb that the command calls. What it is suppressed for already stays as it is."""
        address = form.cleaned_data["address"]
        suppressions.suppress(
            channel=obj.channel,
            address=address,
            reason=obj.reason,
            note=obj.note,
            by=request.user.get_username(),
        )
        rows = Suppression.objects.filter(channel=obj.channel, reason=obj.reason)
        row = rows.filter(address_hash__in=suppressions.hashes(address)).latest("pk")
        obj.pk, obj.hint, obj.address_hash = row.pk, row.hint, row.address_hash

    @admin.display(description=columns.STATE)
    def state(self, row: Suppression) -> SafeString:
        return badge(IN_FORCE if row.removed_at is None else OVER)

    @admin.display(description=_("address"))
    def address_shown(self, row: Suppression) -> str:
        return row.hint or EMPTY

    @admin.display(description=_("reason"))
    def why(self, row: Suppression) -> str:
        return row.get_reason_display()
