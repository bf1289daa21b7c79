"""What an operator says of stock: how much there is, below how much more is ordered, and why."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders_site.inventory.models import MOST, StockItem


class StockForm(forms.ModelForm):
    """A product that is kept in stock from now on, or the correction of one that is: with how often
    it was corrected before, so that a second press of the button corrects nothing more."""

    on_hand = forms.IntegerField(
        label=_("On hand"),
        min_value=0,
        max_value=MOST,
        help_text=_(
            "How many there should be in place of the number shown. What orders take or give back "
            "until you save is kept."
        ),
    )
    reorder_threshold = forms.IntegerField(
        label=_("Reorder threshold"),
        min_value=0,
        max_value=MOST,
        initial=0,
        help_text=_("More is ordered when fewer than this are on hand; 0: never."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Kept in the history."))
    shown = forms.IntegerField(widget=forms.HiddenInput, initial=0, min_value=0)
    corrections = forms.IntegerField(widget=forms.HiddenInput, initial=0, min_value=0)

    class Meta:
        model = StockItem
        fields = ["product", "on_hand", "reorder_threshold"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["shown"] = self.instance.on_hand
            self.initial["corrections"] = self._corrections()

    @property
    def by(self) -> int:
        """Pieces more than the page showed; fewer, if negative."""
        return int(self.cleaned_data["on_hand"] - self.cleaned_data["shown"])

    def clean(self) -> dict[str, Any]:
        """Held until the page's transaction ends: what is found possible here is so when saved."""
        cleaned = super().clean() or self.cleaned_data
        if self.instance.pk and not self.errors:
            held = StockItem.objects.locked().get(pk=self.instance.pk).on_hand
            if cleaned["corrections"] != self._corrections():
                self.add_error(
                    "on_hand",
                    gettext("It was corrected meanwhile, there are %(held)s: open the page again.")
                    % {"held": f"{held:,}"},
                )
            elif not 0 <= held + self.by <= MOST:
                self.add_error(
                    "on_hand",
                    gettext("Meanwhile there are %(held)s, and %(by)s is not possible.")
                    % {"held": f"{held:,}", "by": f"{self.by:+,}"},
                )
        return cleaned

    def _corrections(self) -> int:
        """Each is in the history, in the transaction of the correction itself."""
        kind = ContentType.objects.get_for_model(StockItem)
        return LogEntry.objects.filter(content_type=kind, object_id=str(self.instance.pk)).count()
