"""Addresses that are not sent to: of a wrong form, not allowed here, or nobody's any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from notifications import allow_list, resend
from notifications.channels.memory import MemoryChannel
from notifications.exceptions import PermanentError, TransientError
from notifications.models import Attempt, Delivery
from notifications.recipients import Recipient
from tests.integration.letters import ANN, BEN, Town, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome

told: list[tuple[str, str, str]] = []
"""What the shop was told is gone."""


def forget(channel: str, reference: str, address: str) -> None:
    told.append((channel, reference, address))
    Delivery.objects.filter(recipient=reference).update(locale="xx")


def stumble(channel: str, reference: str, address: str) -> None:
    forget(channel, reference, address)
    raise OperationalError("the shop's database is away")


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    told.clear()
    yield
    told.clear()


def configure(settings: Any, **changed: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | changed


def outcomes() -> dict[str, tuple[str, str]]:
    rows = Delivery.objects.values_list("recipient", "state", "reason")
    return {recipient: (state, reason) for recipient, state, reason in rows}


# Gone


@pytest.mark.parametrize("hook", ["forget", "stumble"])
def test_the_shop_is_told_of_an_address_that_is_gone_and_cannot_undo_the_outcome(
    town: Town, settings: Any, hook: str
) -> None:
    configure(settings, ADDRESS_GONE=f"{__name__}.{hook}")
    town.people = [ANN, BEN]
    MemoryChannel.script("email", "refuse", code="moved_away", address=ANN.address, times=1)

    with pytest.raises(PermanentError, match="moved_away"):
        tell(letter())

    assert told == [("email", ANN.reference, ANN.address)]
    assert outcomes() == {
        ANN.reference: (State.FAILED, "moved_away"),
        BEN.reference: (State.SENT, ""),
    }
    locale = Delivery.objects.get(recipient=ANN.reference).locale
    assert locale == ("xx" if hook == "forget" else "en"), "what a hook did is kept whole, or not"


def test_no_other_failure_says_that_an_address_is_gone(settings: Any) -> None:
    configure(settings, ADDRESS_GONE=f"{__name__}.forget")
    MemoryChannel.script("email", "refuse", code="MessageRejected", times=1)
    MemoryChannel.script("email", "server_error", times=1)

    for error in (PermanentError, TransientError):
        with pytest.raises(error):
            tell(letter())

    assert told == []


# Not allowed here


def test_who_is_not_allowed_here_is_skipped_before_anything_is_rendered(
    town: Town, settings: Any
) -> None:
    configure(settings, ALLOWED_RECIPIENTS=["*@shop.example"])
    town.people = [ANN, replace(BEN, address="ben@shop.example")]

    tell(letter())
    town.people = [ANN]
    town.words = lambda: pytest.fail("something is rendered")
    tell(letter())

    assert [message.address for message in MemoryChannel.outbox("email")] == ["ben@shop.example"]
    told = Delivery.objects.filter(recipient=ANN.reference).values_list("state", "reason")
    assert list(told) == [(State.SKIPPED, allow_list.NOT_ALLOWED)] * 2


def test_no_operator_overrides_it_though_the_news_is_stale_too(town: Town, settings: Any) -> None:
    configure(settings, ALLOWED_RECIPIENTS=[])
    town.untrue = "the order was cancelled"
    event = letter()
    tell(event)
    delivery = Delivery.objects.get()

    assert resend.why_not(event, delivery, override=True) == allow_list.NOT_ALLOWED
    assert delivery.reason == allow_list.NOT_ALLOWED


# Of a wrong form


def test_an_address_of_a_wrong_form_is_skipped_before_anything_is_rendered(town: Town) -> None:
    town.people = [replace(ANN, address=" ")]
    town.words = lambda: pytest.fail("something is rendered")

    tell(letter())

    assert outcomes() == {ANN.reference: (State.SKIPPED, "invalid_address")}
    assert Attempt.objects.get().outcome == Outcome.SKIPPED


def test_whom_the_shop_calls_unreachable_is_skipped_with_its_reason(town: Town) -> None:
    town.people = [Recipient("customer/1", "ann@example.org", unreachable="account_closed")]

    tell(letter())

    assert outcomes() == {"customer/1": (State.SKIPPED, "account_closed")}
