"""What an operator may enter of a customer: nothing more of one who was forgotten."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext

from orders_site.customers.models import Customer
from orders_site.forms import SeenForm


class CustomerForm(SeenForm):
    """Race: its page may have been opened before the customer was forgotten, and holds it all."""

    def look_at(self, held: Customer) -> None:
        if held.forgotten_at:
            raise forms.ValidationError(
                gettext("%(customer)s was forgotten: nothing is entered of them any more.")
                % {"customer": held}
            )
