"""What each customer must be told, written down while the orders are placed.

The promise below is the shop owner's, in the shop owner's words. It is kept apart from
the routes in the settings on purpose: a route that is missing or wrong must show as a loss,
so nothing here may be computed from the code that it judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PROMISE: dict[str, tuple[str, ...]] = {
    "order.created": ("email", "push"),
    "order.shipped": ("email", "sms", "whatsapp", "push"),
    "order.cancelled": ("email", "sms"),
    "order.refunded": ("email",),
    "payment.completed": ("email", "push"),
    "payment.failed": ("email", "sms"),
    "shop.news": ("email", "sms", "whatsapp", "push"),
}


@dataclass(frozen=True, order=True)
class Call:
    """One message called for: this order, this event, over this channel, to this address."""

    subject: str
    event_type: str
    channel: str
    address: str


@dataclass(frozen=True)
class Contact:
    """How one customer can be reached: the addresses per channel that they agreed to."""

    addresses: dict[str, tuple[str, ...]]


class Manifest:
    """The calls of one run, appended to a file as they are made.

    A message about an order that was cancelled right afterwards may still go out or be
    skipped, whichever comes first: such calls are `optional`.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)
        self.required: set[Call] = set()
        self.optional: set[Call] = set()
        self.subjects: set[str] = set()

    def add(self, *, subject: str, event_type: str, contact: Contact) -> None:
        """Write down what this event promises this customer."""
        self.subjects.add(subject)
        for call in _calls(subject, event_type, contact):
            self.required.add(call)
            self._file.write(json.dumps(asdict(call)) + "\n")

    def withdraw(self, *, subject: str) -> None:
        """The order was cancelled: what was promised about it before need not arrive any more."""
        withdrawn = {call for call in self.required if call.subject == subject}
        self.required -= withdrawn
        self.optional |= withdrawn
        self._file.write(json.dumps({"withdrawn": subject}) + "\n")

    def close(self) -> None:
        self._file.close()


def _calls(subject: str, event_type: str, contact: Contact) -> Iterator[Call]:
    for channel in PROMISE[event_type]:
        for address in _addresses(contact, channel):
            yield Call(subject, event_type, channel, address)


def _addresses(contact: Contact, channel: str) -> Iterable[str]:
    return contact.addresses.get(channel, ())
