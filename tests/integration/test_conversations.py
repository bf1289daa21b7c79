"""Who wrote to us within the last day, over which channel: no address is kept for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications.conversations import note_inbound, window_open
from notifications.models import Conversation

pytestmark = pytest.mark.django_db

PHONE = "+4915112345678"


def test_the_window_is_open_for_a_day_after_the_last_message() -> None:
    now = timezone.now()
    assert not window_open("whatsapp", PHONE)
    note_inbound("whatsapp", PHONE, now)
    assert window_open("whatsapp", PHONE)
    assert window_open("whatsapp", PHONE, now + timedelta(hours=23, minutes=59))
    assert not window_open("whatsapp", PHONE, now + timedelta(hours=24))
    assert not window_open("sms", PHONE)
    assert not window_open("whatsapp", "+4915112345679")


def test_a_number_is_known_again_however_it_is_written() -> None:
    note_inbound("whatsapp", "4915112345678", timezone.now())  # as Meta writes it
    assert window_open("whatsapp", "+49 151 12345678")


def test_out_of_order_and_repeated_the_newest_message_counts() -> None:
    now = timezone.now()
    for hours in (5, 1, 30, 1):
        note_inbound("whatsapp", PHONE, now - timedelta(hours=hours))
    kept = Conversation.objects.get()
    assert kept.last_inbound_at == now - timedelta(hours=1)
    assert PHONE not in str(vars(kept)) + str(kept)


def test_a_message_from_the_future_opens_the_window_no_longer_than_one_of_now() -> None:
    note_inbound("whatsapp", PHONE, timezone.now() + timedelta(days=365))
    assert not window_open("whatsapp", PHONE, timezone.now() + timedelta(hours=24))


def test_a_window_stays_open_when_the_key_is_rotated(settings: Any) -> None:
    note_inbound("whatsapp", PHONE, timezone.now())
    keys = settings.NOTIFICATIONS["ADDRESS_HASH_KEYS"] | {2: "a newer secret"}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ADDRESS_HASH_KEYS": keys}
    assert window_open("whatsapp", PHONE)
    note_inbound("whatsapp", PHONE, timezone.now())
    assert sorted(Conversation.objects.values_list("address_hash", flat=True))[1][:2] == "2:"
