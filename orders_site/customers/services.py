"""What can be done with a customer."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Coalesce, Now

from orders_site.customers.models import Customer, Device


def forget_customer(*, customer_id: int) -> bool:
    """Erase the person and keep the row: orders belong to it, and the books must be kept.

    Done once more, it changes nothing. False when there is no such customer. The row goes first:
    whoever holds it may be entering a device.
    """
    with transaction.atomic():
        forgotten = Customer.objects.filter(pk=customer_id).update(
            first_name="Forgotten",
            last_name=f"customer {customer_id}",
            email=f"customer-{customer_id}@forgotten.invalid",
            phone="",
            whatsapp="",
            country="",
            time_zone="UTC",
            email_consent=False,
            sms_consent=False,
            whatsapp_consent=False,
            push_consent=False,
            forgotten_at=Coalesce("forgotten_at", Now()),
        )
        Device.objects.filter(customer_id=customer_id).delete()
    return bool(forgotten)
