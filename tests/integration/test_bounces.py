"""Which receipts are the end of an address, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from notifications import proofs, receipts
from notifications.models import Delivery, Suppression
from notifications.recipients import address_hash
from notifications.suppressions import is_suppressed, lift
from tests.integration.test_receipts import a_delivery, told

pytestmark = pytest.mark.django_db

EMAIL, PHONE = "ada@example.org", "+4915112345678"


def take(delivery: Delivery, kind: str, **changed: Any) -> None:
    receipt = told(delivery, kind).model_copy(update=changed)
    receipts.take(receipts.envelope_of((receipt,), subject="order/1"))


def sent_to(address: str, channel: str = "email", **values: Any) -> Delivery:
    delivery = a_delivery("sent", address_hash=address_hash(address), **values)
    Delivery.objects.filter(pk=delivery.pk).update(channel=channel)
    return delivery


def reason(channel: str, address: str) -> str:
    found = is_suppressed(channel, address)
    return found.reason if found else ""


@pytest.mark.parametrize(
    ("channel", "kind", "opted_out", "expected"),
    [
        ("email", "bounced", False, "hard_bounce"),
        ("email", "complained", False, "complaint"),
        ("email", "bounced", True, "complaint"),
        ("email", "soft_bounced", False, ""),
        ("email", "rejected", False, ""),
        ("email", "delayed", False, ""),
        ("email", "opened", False, ""),
        ("sms", "bounced", True, "opt_out_reply"),
        ("sms", "bounced", False, ""),
        ("sms", "soft_bounced", False, ""),
        ("whatsapp", "rejected", False, ""),
    ],
)
def test_which_receipt_shuts_an_address_out(
    channel: str, kind: str, opted_out: bool, expected: str
) -> None:
    address = EMAIL if channel == "email" else PHONE
    delivery = sent_to(address, channel)
    take(delivery, kind, opted_out=opted_out)
    assert reason(channel, address) == expected
    if expected:
        kept = Suppression.objects.get()
        assert (kept.delivery_id, kept.note[:5]) == (delivery.pk, "ses: ")
    take(delivery, kind, opted_out=opted_out)
    assert Suppression.objects.count() == bool(expected)


def test_a_receipt_that_is_repeated_does_not_undo_who_has_lifted_it() -> None:
    delivery = sent_to(EMAIL)
    take(delivery, "bounced")
    lift(channel="email", address=EMAIL, by="ann", reason="the mailbox is there again")
    take(delivery, "bounced")
    assert reason("email", EMAIL) == ""


def test_of_a_delivery_that_was_opened_again_it_is_the_address_that_the_provider_names() -> None:
    """The first message bounced; the second goes to another address, which is not to blame."""
    delivery = sent_to("new@example.org", generation=1)
    take(delivery, "bounced", generation=0, address_hash=address_hash(EMAIL))
    assert (reason("email", EMAIL), reason("email", "new@example.org")) == ("hard_bounce", "")


def test_without_an_address_nobody_is_shut_out() -> None:
    take(sent_to("new@example.org", generation=1), "bounced", generation=0)
    assert not Suppression.objects.exists()


def test_of_somebody_who_was_forgotten_it_is_the_address_that_the_provider_names() -> None:
    delivery = sent_to(EMAIL)
    proof = proofs.prove(delivery.pk, EMAIL)
    Delivery.objects.filter(pk=delivery.pk).update(address="", address_hash=proof)
    take(delivery, "complained", address_hash=address_hash(EMAIL))
    assert reason("email", EMAIL) == "complaint"
    assert Suppression.objects.count() == 1
