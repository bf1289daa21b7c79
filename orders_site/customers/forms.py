"""What an operator may enter of a customer: nothing more of one who was forgotten."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext

from orders_site.customers.models import Customer


class CustomerForm(forms.ModelForm):
    """Race: its page may have been opened before the customer was forgotten, and holds it all."""

    def clean(self) -> dict[str, Any]:
        """Held until the page's transaction ends: whoever forgets them meanwhile comes after it."""
        cleaned = super().clean() or self.cleaned_data
        held = Customer.objects.select_for_update().filter(pk=self.instance.pk)
        if any(held.values_list("forgotten_at", flat=True)):
            raise forms.ValidationError(
                gettext("%(customer)s was forgotten: nothing is entered of them any more.")
                % {"customer": self.instance}
            )
        return cleaned
