"""Preferences: what people want to hear, and how they came to say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import preferences
from notifications.admin import columns
from notifications.admin.display import EMPTY, badge, exact, list_url, short, state_label
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChannelFilter, ChoiceFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.admin.related import Section, section
from notifications.conf import conf
from notifications.models import Consent, Preference
from notifications.preferences import CannotOptOut, Source, UnknownCategory
from notifications.recipients import is_address

if TYPE_CHECKING:
    _PreferenceForm = forms.ModelForm[Preference]
else:
    _PreferenceForm = forms.ModelForm

WANTED, UNWANTED = "wanted", "unwanted"


class WantedFilter(ChoiceFilter):
    title = _("wanted")
    parameter_name = column = "wanted"

    def options(self) -> Iterable[str]:
        return [WANTED, UNWANTED]

    def label(self, option: str) -> str:
        return state_label(option)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(wanted=chosen == WANTED)


class CategoryFilter(ChoiceFilter):
    title = _("category")
    parameter_name = column = "category"

    def options(self) -> Iterable[str]:
        return sorted(conf().categories)


class PreferenceForm(_PreferenceForm):
    """What somebody has told an operator: by telephone, in a letter."""

    category = forms.ChoiceField(choices=lambda: _choosable())
    channel = forms.ChoiceField(choices=lambda: [(name, name) for name in conf().channels])
    reason = forms.CharField(
        max_length=255,
        widget=forms.TextInput(attrs={"size": 60}),
        help_text=_("Kept in the history: how they said so."),
    )

    class Meta:
        model = Preference
        fields = ("person", "category", "channel", "wanted")

    def clean_person(self) -> str:
        person = str(self.cleaned_data["person"])
        if is_address(person):
            raise forms.ValidationError(_("A person's reference, and no address."))
        return person

    def clean(self) -> dict[str, Any]:
        """Of who has said something before it is that row: no second one to be refused."""
        cleaned = super().clean() or self.cleaned_data
        named = {name: cleaned.get(name, "") for name in ("person", "category", "channel")}
        self.instance = Preference.objects.filter(**named).first() or self.instance
        return cleaned


def _choosable() -> list[tuple[str, Any]]:
    """The categories that a person may opt out of."""
    named = conf().categories.items()
    return [(name, category.title) for name, category in named if not category.transactional]


def _say(row: Preference, by: str, reason: str, *, wanted: bool) -> str:
    try:
        changed = preferences.set_preference(
            person=row.person,
            category=row.category,
            channel=row.channel,
            wanted=wanted,
            source=Source.OPERATOR,
            by=by,
            reason=reason,
        )
    except (CannotOptOut, UnknownCategory) as error:
        return str(error)
    return "" if changed else str(_("they have said so meanwhile"))


def _opt_out(row: Preference, by: str, reason: str) -> str:
    return _say(row, by, reason, wanted=False)


def _opt_in(row: Preference, by: str, reason: str) -> str:
    return _say(row, by, reason, wanted=True)


@admin.register(Preference)
class PreferenceAdmin(MovingAdmin[Preference]):
    """What people have said; who is not in it has said nothing."""

    form = PreferenceForm
    list_display = ("state", "person", "category", "channel", "since_ago")
    list_display_links = ("person",)
    list_filter = (WantedFilter, CategoryFilter, ChannelFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly a person: customer/42.")
    fieldsets = (
        (_("Who"), {"fields": ("person",)}),
        (_("What"), {"fields": (("category", "channel", "state"), "since_when")}),
    )
    moves = (
        Move("opt_out", _("Opt out"), "change_preference", _opt_out, lambda row: row.wanted),
        Move("opt_in", _("Opt in"), "change_preference", _opt_in, lambda row: not row.wanted),
    )

    since_when = columns.moment("since", _("since"))
    since_ago = columns.ago("since", _("since"))

    def matching(self, term: str) -> Q:
        return Q(person=term)

    def related(self, request: HttpRequest, row: Preference) -> list[Section]:
        said = Consent.objects.filter(person=row.person).order_by("-id")
        titles = (_("When"), _("What"), _("Wanted"), _("How"), _("By"), _("Proof"), _("Reason"))

        def cells(consent: Consent) -> tuple[object, ...]:
            return (
                exact(consent.at),
                consent.what,
                badge(WANTED if consent.wanted else UNWANTED),
                consent.get_source_display(),
                consent.by or EMPTY,
                short(consent.proof),
                short(consent.reason),
            )

        more = list_url(Consent, q=row.person)
        return section(request, _("All that this person has said"), titles, said, cells, more)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fieldsets(self, request: HttpRequest, obj: Preference | None = None) -> Any:
        if obj is None:
            fields = ["person", "category", "channel", "wanted", "reason"]
            return [(None, {"fields": fields})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Preference | None = None) -> list[str]:
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Preference, form: Any, change: bool) -> None:
        """By the verb that the command calls, so that it stands in the history."""
        _say(obj, request.user.get_username(), form.cleaned_data["reason"], wanted=obj.wanted)
        row = Preference.objects.get(person=obj.person, category=obj.category, channel=obj.channel)
        obj.pk, obj.since = row.pk, row.since

    @admin.display(description=_("wanted"))
    def state(self, row: Preference) -> SafeString:
        return badge(WANTED if row.wanted else UNWANTED)


@admin.register(Consent)
class ConsentAdmin(FactsAdmin[Consent]):
    """Every change of mind, the latest first. Nobody edits it."""

    list_display = ("state", "person", "category", "channel", "source", "by", "when")
    list_display_links = ("person",)
    list_filter = (WantedFilter, CategoryFilter, ChannelFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly a person: customer/42.")
    fieldsets = (
        (_("Who"), {"fields": ("person",)}),
        (_("What"), {"fields": (("category", "channel", "state"),)}),
        (_("How"), {"fields": (("moment", "source", "by"), "proof", "whole_reason")}),
    )

    when = columns.ago("at", _("when"))
    moment = columns.moment("at", _("when"))
    whole_reason = columns.whole("reason", _("reason"))

    def matching(self, term: str) -> Q:
        return Q(person=term)

    @admin.display(description=_("wanted"))
    def state(self, row: Consent) -> SafeString:
        return badge(WANTED if row.wanted else UNWANTED)
