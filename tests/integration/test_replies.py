"""What people write back: noted, and of two words heeded, the last one said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import receipts
from notifications.conversations import window_open
from notifications.models import Conversation, Suppression
from notifications.replies import Heard, heard
from notifications.suppressions import is_suppressed, suppress
from tests.integration.test_receipt_calls import play
from tests.receipt_calls import WEBHOOKS, call_meta, call_twilio, meta_body

pytestmark = pytest.mark.django_db

PHONE = "+4915112345678"
NOW = timezone.now().replace(microsecond=0) - timedelta(hours=1)


def wrote(text: str, message: str, at: datetime = NOW, channel: str = "sms") -> Heard:
    [reply] = heard(channel=channel, address=PHONE, text=text, message_id=message, occurred_at=at)
    return reply


def hear(*replies: Heard) -> None:
    receipts.take(receipts.envelope_of(subject="", heard=replies))


def reason() -> str:
    found = is_suppressed("sms", PHONE)
    return found.reason if found else ""


def test_who_writes_stop_is_sent_nothing_more_on_that_channel() -> None:
    hear(wrote("STOP", "m-1"))
    assert reason() == "opt_out_reply"
    assert is_suppressed("whatsapp", PHONE) is None
    assert PHONE not in str(vars(Suppression.objects.get()))


@pytest.mark.parametrize(
    ("known_by", "number"),
    [("551187654321", "+5511987654321"), ("5215512345678", "+525512345678")],
)
def test_who_writes_from_the_number_that_they_had_before_is_known_by_the_one_of_today(
    known_by: str, number: str
) -> None:
    """WhatsApp keeps the old one, of Brazil without its 9 and of Mexico with its 1."""
    hear(*heard(channel="whatsapp", address=known_by, text="STOP", message_id="m", occurred_at=NOW))

    found = is_suppressed("whatsapp", number)
    assert found
    assert found.reason == "opt_out_reply"
    assert window_open("whatsapp", number)


def test_who_writes_start_after_it_is_sent_messages_again() -> None:
    hear(wrote("STOP", "m-1"))
    hear(wrote("START", "m-2", NOW + timedelta(minutes=1)))
    assert reason() == ""
    hear(wrote("stop", "m-3", NOW + timedelta(minutes=2)))
    assert reason() == "opt_out_reply"
    assert Suppression.objects.count() == 2


def test_a_start_that_comes_late_does_not_undo_the_stop_that_was_written_after_it() -> None:
    hear(wrote("STOP", "m-2", NOW))
    hear(wrote("START", "m-1", NOW - timedelta(minutes=1)))
    assert reason() == "opt_out_reply"


def test_of_two_words_of_one_second_the_refusal_stands() -> None:
    hear(wrote("START", "m-1"), wrote("STOP", "m-2"))
    assert reason() == "opt_out_reply"
    hear(wrote("START", "m-3"))
    assert reason() == "opt_out_reply"


def test_a_start_that_is_said_again_lifts_no_later_stop() -> None:
    """Text messages of AWS are undated: only their ids tell one from the other."""
    hear(wrote("START", "m-1", NOW))
    hear(wrote("STOP", "m-2", NOW + timedelta(minutes=1)))
    hear(wrote("START", "m-1", NOW + timedelta(minutes=2)))
    assert reason() == "opt_out_reply"


def test_a_word_from_the_future_is_taken_back_like_any_other() -> None:
    hear(wrote("STOP", "m-1", NOW + timedelta(days=365)))
    hear(wrote("START", "m-2", timezone.now() + timedelta(seconds=1)))
    assert reason() == ""


def test_a_start_lifts_a_stop_of_before_the_key_was_changed(settings: Any) -> None:
    hear(wrote("STOP", "m-1"))
    keys = settings.NOTIFICATIONS["ADDRESS_HASH_KEYS"] | {2: "a newer secret"}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ADDRESS_HASH_KEYS": keys}
    assert reason() == "opt_out_reply"
    hear(wrote("START", "m-2", NOW + timedelta(minutes=1)))
    assert reason() == ""


@pytest.mark.parametrize("why", ["hard_bounce", "complaint", "operator"])
def test_a_start_lifts_nothing_but_a_stop(why: str) -> None:
    suppress(channel="sms", address=PHONE, reason=why)
    hear(wrote("START", "m-1"))
    assert reason() == why


def test_any_message_opens_the_window_and_none_but_the_words_do_more() -> None:
    hear(wrote("when does it come?", "m-1", channel="whatsapp"))
    assert window_open("whatsapp", PHONE)
    assert not Suppression.objects.exists()
    assert Conversation.objects.get().word == ""


def test_a_message_said_twice_is_heard_once() -> None:
    hear(wrote("STOP", "m-1"))
    Suppression.objects.all().delete()
    hear(wrote("STOP", "m-1"))
    assert reason() == ""


def test_over_http_it_is_the_same(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "RECEIPT_WEBHOOKS": WEBHOOKS,
        "PUBLIC_URL": "https://shop.example",
    }
    at = str(int(timezone.now().timestamp()))
    message = {"from": PHONE[1:], "id": "wamid.W", "timestamp": at, "text": {"body": "Stop"}}
    assert call_meta(meta_body(messages=(message,))).status_code == 200
    texted = {"MessageSid": "SM1", "From": PHONE, "To": "+12125550101", "Body": "STOP"}
    chatted = {**texted, "MessageSid": "SM2", "From": f"whatsapp:{PHONE}", "Body": "Danke!"}
    assert call_twilio(texted | {"SmsStatus": "received"}).status_code == 200
    assert call_twilio(chatted).status_code == 200
    play()
    assert reason() == "opt_out_reply"
    assert is_suppressed("whatsapp", PHONE) is not None
    assert window_open("whatsapp", PHONE)
