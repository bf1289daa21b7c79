"""A form that knows what its page showed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Model
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext


class SeenForm(forms.ModelForm):
    """Of a row that was changed since its page was opened nothing is saved: all its fields would be
    put back to what that page shows, a price or a consent as it was before somebody changed it."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["seen"] = self._digest(self.instance)

    def clean(self) -> dict[str, Any]:
        """Holds the row until the page's transaction ends: what is found here is so when saved."""
        cleaned = super().clean() or self.cleaned_data
        rows = type(self.instance)._default_manager.select_for_update()
        held = rows.filter(pk=self.instance.pk).first()
        if held is not None:
            self.look_at(held)
            if cleaned.get("seen") not in ("", None, self._digest(held)):
                message = gettext("It was changed meanwhile: open the page again.")
                raise forms.ValidationError(message)
        return cleaned

    def look_at(self, held: Model) -> None:
        """For a form that has more to say of the row as it is now. Raises ValidationError."""

    def _digest(self, row: Model) -> str:
        """Of the fields that this page may change; keyed, for they are a person's."""
        names = sorted({field.name for field in row._meta.concrete_fields} & set(self.fields))
        values = repr([(name, getattr(row, name)) for name in names])
        return salted_hmac(__name__, values).hexdigest()[:16]
