"""Who is told: known without a query, for what a shop looks up is the shop's own cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.recipients import Recipient


def resolve(envelope: Envelope, route: Route) -> Iterable[Recipient]:
    customer = envelope.data["customer_id"]
    return [Recipient(f"customer/{customer}", f"customer-{customer}@example.org", locale="en")]


def context(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    return {"shop": "Harbour & Pine"}


def no_longer_true(envelope: Envelope) -> str | None:
    return None
