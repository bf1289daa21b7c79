"""Trouble for an operator to find: what `make demo TROUBLE=1` leaves to be put right.

Twelve orders in a currency that the payment account does not take, mails that the provider refuses
for good, and texts of which nobody knows whether they were sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from notifications.local.providers.client import SandboxClient
from orders_site.blackfriday.sale import ABROAD, BAD, CURRENCY, CUSTOMERS
from orders_site.customers.models import Customer
from orders_site.orders.samples import Samples

REFUSED_MAILS, UNANSWERED_TEXTS = 4, 2


def stir_up(sandbox: SandboxClient, *, seed: int) -> Sequence[int]:
    """Script the providers and place the bad orders; their numbers, in order.

    Mended as in life: `SandboxClient.take_currency` is the provider's support enabling the
    account for it.
    """
    sandbox.refuse_currency(CURRENCY)
    sandbox.script("email", "refuse", code="MessageRejected", times=REFUSED_MAILS)
    sandbox.script("sms", "hang_up", times=UNANSWERED_TEXTS)  # no receipt will tell
    samples = Samples(seed + 1)
    abroad = [each for each in samples.customers(CUSTOMERS) if each.country == ABROAD]
    return [_place(samples, samples.choice(abroad)) for _ in range(BAD)]


def _place(samples: Samples, customer: Customer) -> int:
    return samples.place(customer).pk
