"""Somebody is forgotten while a message with their address in hand has not come to them yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from notifications import erasure
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import ChannelConf, QuietHours
from notifications.envelope import Envelope
from notifications.models import Attempt, Delivery, Dispatch, Erasure, Event
from notifications.models.claim import claims
from notifications.models.wait import QUIET_HOURS, put_off
from notifications.recipients import Recipient, address_hash
from tests.integration.letters import ANN, BEN, Town, letter, request_for, tell
from tests.integration.together import all_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

PHONE_OF_BEN = replace(BEN, reference="customer/2/device/7", person="customer/2")


def forget(person: Recipient) -> erasure.Erased:
    return erasure.forget(person=person.who, by="ada", reason="asked for it")


def forgets(town: Town, person: Recipient) -> None:
    """While Ann is told, that person is forgotten."""

    def send(message: Message) -> Accepted:
        MemoryChannel("email").send(message)
        if message.address == ANN.address:
            forget(person)
        return Accepted("m-1")

    town.on_send = send


def told() -> list[str]:
    return [each.address for each in MemoryChannel.outbox("email")]


def happened(**given: Any) -> Envelope:
    event = letter(**given)
    Event.objects.keep(event)
    return event


def everything_kept() -> str:
    models = apps.get_app_config("notifications").get_models()
    return "\n".join(map(repr, (row for model in models for row in model.objects.values())))


def a_night(settings: Any) -> None:
    """For Ben, two hours east of here: for her it has not come yet."""
    now = datetime.now(UTC)
    hours = QuietHours(f"{now + timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=4):%H:%M}")
    settings.TIME_ZONE = "UTC"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {"email": hours}}


def a_limit(settings: Any) -> None:
    described = settings.NOTIFICATIONS["CHANNELS"]["email"]
    limited = ChannelConf(described.adapter, described.options, recipient_limit="1/h")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": {"email": limited}}


def nothing(settings: Any) -> None:
    pass


@pytest.mark.parametrize("waits_for", [nothing, a_night, a_limit])
@pytest.mark.parametrize("person", [BEN, PHONE_OF_BEN])
def test_whose_row_is_not_made_yet_is_not_told_and_not_kept(
    town: Town, settings: Any, person: Recipient, waits_for: Callable[[Any], None]
) -> None:
    town.people = [replace(person, time_zone="Etc/GMT-2")]
    if waits_for is a_limit:
        a_limit(settings)
        tell(happened())
        MemoryChannel.reset()
    else:
        waits_for(settings)
    town.people = [ANN, *town.people]
    forgets(town, person)
    event = happened()
    tell(event)
    tell(event)  # it comes once more

    assert told() == [ANN.address]
    theirs = Delivery.objects.get(event_id=event.id, recipient=person.reference)
    assert (theirs.state, theirs.reason, theirs.attempts) == ("discarded", "forgotten", 0)
    assert (theirs.address, theirs.address_hash, theirs.locale) == ("", "", None)
    assert theirs.finished_at is not None
    assert not Attempt.objects.filter(delivery=theirs).exists()
    assert not Dispatch.objects.exists()
    assert address_hash(person.address) not in everything_kept()
    assert Erasure.objects.get().counts.get("deliveries", 0) == (waits_for is a_limit)


def test_nobody_is_taken_for_another(town: Town) -> None:
    twin = replace(BEN, reference="customer/22")
    town.people = [ANN, twin]
    forgets(town, BEN)
    tell(happened())
    assert told() == [ANN.address, twin.address]


def test_who_has_come_back_since_is_told_of_what_happens_then(town: Town) -> None:
    town.people = [BEN]
    forget(BEN)
    tell(happened())
    assert told() == [BEN.address]


def test_one_that_is_opened_again_all_the_same_is_discarded_again(town: Town) -> None:
    town.people = [BEN]
    event = happened(age=timedelta(minutes=1))
    tell(event)
    forget(BEN)
    MemoryChannel.reset()
    Delivery.objects.all().reopen(generation=1)
    tell(replace(event, generation=1))
    row = Delivery.objects.get()
    assert (told(), row.state, row.reason, row.generation) == ([], "discarded", "forgotten", 1)
    assert row.address == ""


def test_nothing_of_them_is_put_into_a_row_that_waits_or_is_held() -> None:
    request = request_for(letter(age=timedelta(minutes=1)))
    forget(ANN)
    later = timezone.now() + timedelta(hours=1)
    assert put_off(request, until=later, reason=QUIET_HOURS, using="default") is None
    assert not Delivery.objects.hold(request, error="in doubt", fingerprint="f")
    assert not Delivery.objects.exists()


def test_it_costs_no_statement_more(django_assert_num_queries: Any) -> None:
    forget(BEN)
    with django_assert_num_queries(1):
        assert claims.write(request_for(letter()), using="default") is not None


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_was_made_meanwhile_is_waited_for_and_said(town: Town) -> None:
    """Its statement began before they were forgotten, and is committed after that."""
    claimed, forgotten = threading.Event(), threading.Event()

    def claim() -> None:
        with transaction.atomic():
            assert claims.write(request_for(letter()), using="default") is not None
            claimed.set()
            assert not forgotten.wait(2)

    def forget_ann() -> int:
        assert claimed.wait(20)
        left = forget(ANN).under_way
        forgotten.set()
        return left

    assert all_at_once([claim, forget_ann])[1] == 1
