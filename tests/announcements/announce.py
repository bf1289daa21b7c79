"""`python -m tests.announcements.announce N M`: tell new customers, no. N to M - 1, that their
payment arrived.

Prints, as JSON, one object per customer: channel → address.
"""

from __future__ import annotations

import json
import sys

import django
from django.db import transaction


def announce(first: int, end: int) -> list[dict[str, str]]:
    return [tell(number) for number in range(first, end)]


def tell(number: int) -> dict[str, str]:
    """One new customer, with an announcement in the same transaction. number: 0 to 9999."""
    from notifications.outbox import record
    from orders_site.customers.models import Customer, Device
    from tests.announcements.events import PaymentSuccessful

    with transaction.atomic():
        customer = Customer.objects.create(
            first_name="Ada",
            last_name=f"No. {number}",
            email=f"ada-{number}@example.org",
            phone=f"+49171392{number:04d}",
            whatsapp=f"+49172992{number:04d}",
            sms_consent=True,
            whatsapp_consent=True,
        )
        device = Device.objects.create(
            customer=customer, platform="android", token=f"token-of-ada-{number}"
        )
        record(PaymentSuccessful(customer_id=customer.pk))
    return {
        "email": customer.email,
        "sms": customer.phone,
        "whatsapp": customer.whatsapp,
        "push": device.token,
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps(announce(*map(int, sys.argv[1:]))))
