"""The suppression list: what is on it, for what, and who may take it off again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from notifications import suppressions
from notifications.models import Suppression
from notifications.recipients import address_hash
from notifications.suppressions import ComplaintStands, is_suppressed, lift, suppress
from tests.plans import analyze, plan_of

pytestmark = pytest.mark.django_db

Reason = Suppression.Reason
ADDRESS = "Gustav.Klein@example.org"


def test_a_suppressed_address_is_found_however_it_is_written_and_kept_as_a_hash() -> None:
    assert suppress(channel="email", address=ADDRESS, reason=Reason.HARD_BOUNCE, note="550 5.1.1")

    row = Suppression.objects.get()
    assert is_suppressed("email", " gustav.klein@EXAMPLE.org ") == row
    assert is_suppressed("sms", ADDRESS) is None
    assert is_suppressed("email", "gustav@example.org") is None
    assert (row.hint, row.note) == ("G…@example.org", "550 5.1.1")
    assert "klein" not in str(vars(row)).lower()


@pytest.mark.parametrize(
    "spelled",
    ["+49 170 123-4567", "491701234567", "0049 (170) 1234567", "+49 (0)170 123 45 67"],
)
def test_a_number_is_one_number_however_it_is_spelled(spelled: str) -> None:
    suppress(channel="sms", address=spelled, reason=Reason.OPT_OUT_REPLY)

    assert is_suppressed("sms", "+491701234567")
    assert is_suppressed("sms", spelled)
    assert not suppress(channel="sms", address="+491701234567", reason=Reason.OPT_OUT_REPLY)


def test_what_a_delivery_carries_is_enough_to_suppress_and_to_lift() -> None:
    known, delivery = address_hash(ADDRESS), uuid4()
    suppress(channel="email", address_hash=known, reason="hard_bounce", delivery=delivery)

    found = is_suppressed("email", ADDRESS)
    assert found
    assert (found.delivery_id, found.hint) == (delivery, "")
    assert lift(channel="email", address_hash=known, by="mira", reason="it was a typing error") == 1
    assert is_suppressed("email", ADDRESS) is None


def test_suppressed_twice_is_one_row_and_each_reason_its_own() -> None:
    assert suppress(channel="email", address=ADDRESS, reason=Reason.HARD_BOUNCE)
    assert not suppress(channel="email", address=ADDRESS, reason=Reason.HARD_BOUNCE)
    assert suppress(channel="email", address=ADDRESS, reason=Reason.COMPLAINT)
    assert suppress(channel="email", address=ADDRESS, reason=Reason.IMPORTED)

    found = is_suppressed("email", ADDRESS)
    assert found
    assert found.reason == Reason.COMPLAINT  # the weightiest is told


def test_what_is_lifted_keeps_its_history_and_may_come_again() -> None:
    suppress(channel="email", address=ADDRESS, reason=Reason.OPERATOR, by="ada", note="asked")

    assert lift(channel="email", address=ADDRESS, by="mira", reason="asked us to") == 1
    assert lift(channel="email", address=ADDRESS, by="mira", reason="asked us to") == 0
    assert suppress(channel="email", address=ADDRESS, reason=Reason.OPERATOR)

    first, second = Suppression.objects.order_by("pk")
    assert (first.by, first.note) == ("ada", "asked")
    assert (first.removed_by, first.removed_reason) == ("mira", "asked us to")
    assert first.removed_at is not None
    assert second.removed_at is None


def test_a_complaint_is_lifted_only_by_who_says_so() -> None:
    suppress(channel="email", address=ADDRESS, reason=Reason.HARD_BOUNCE)
    suppress(channel="email", address=ADDRESS, reason=Reason.COMPLAINT)

    with pytest.raises(ComplaintStands):
        lift(channel="email", address=ADDRESS, by="mira", reason="oops")
    assert Suppression.objects.in_force().count() == 2

    said = {"by": "mira", "reason": "wrote to us", "although_complained": True}
    assert lift(channel="email", address=ADDRESS, **said) == 2
    assert is_suppressed("email", ADDRESS) is None


def test_an_address_stays_suppressed_when_the_hash_key_is_rotated(settings: Any) -> None:
    suppress(channel="email", address=ADDRESS, reason=Reason.COMPLAINT)
    (version, secret) = max(settings.NOTIFICATIONS["ADDRESS_HASH_KEYS"].items())
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ADDRESS_HASH_KEYS": {version: secret, version + 1: "a newer secret"},
    }

    assert is_suppressed("email", ADDRESS)
    assert not suppress(channel="email", address=ADDRESS, reason=Reason.COMPLAINT)
    assert suppress(channel="email", address="ben@example.org", reason=Reason.COMPLAINT)
    newest = Suppression.objects.latest("pk")
    assert newest.address_hash.startswith(f"{version + 1}:")
    said = {"by": "mira", "reason": "asked us to", "although_complained": True}
    assert lift(channel="email", address=ADDRESS, **said) == 1


def test_a_look_is_one_statement_on_an_index() -> None:
    suppress(channel="email", address=ADDRESS, reason=Reason.COMPLAINT)
    Suppression.objects.bulk_create(
        Suppression(channel="email", address_hash=f"1:{n}", reason="imported") for n in range(3000)
    )
    analyze(Suppression)

    with CaptureQueriesContext(connection) as looked:
        is_suppressed("email", ADDRESS)

    (query,) = looked.captured_queries
    plan = plan_of(query["sql"])
    assert "suppression_in_force_once" in plan or "suppression_by_address_hash" in plan


@pytest.mark.parametrize("given", [{"address": ""}, {"address": "  "}, {"address_hash": ""}])
def test_nothing_is_suppressed_without_an_address(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="an address or its hash"):
        suppress(channel="email", reason=Reason.OPERATOR, **given)


def test_texts_that_are_too_long_or_hold_a_nul_are_kept_as_far_as_they_can_be() -> None:
    suppress(channel="email", address=ADDRESS, reason="operator", by="b" * 999, note="\0n" * 999)

    row = Suppression.objects.get()
    assert (row.by, row.note) == ("b" * 150, "n" * 255)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_suppress_an_address_at_once_one_does() -> None:
    def once(_: int) -> bool:
        try:
            return suppress(channel="sms", address="+491701234567", reason=Reason.OPT_OUT_REPLY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(once, range(16))) == 1
    assert suppressions.Suppression.objects.count() == 1
