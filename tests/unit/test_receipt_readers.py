"""What each provider's own words are read as, in the form of the providers' examples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from notifications import envelope
from notifications.channels.correlation import (
    Correlation,
    to_ses_tags,
    to_sms_context,
    to_whatsapp_callback,
)
from notifications.channels.receipts import handed_on, ses, whatsapp
from notifications.channels.receipts.consumer import SOURCE
from notifications.channels.receipts.reader import read
from notifications.exceptions import NotAnEvent
from notifications.local.providers.receipt_forms import FORMS, Taken
from notifications.local.providers.store import Incoming
from notifications.receipts import ReceiptsCame, Told
from notifications.recipients import address_hash
from notifications.replies import word_of

DELIVERY = "0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10"
OURS = Correlation(f"{DELIVERY}.2.1", "order.shipped", "order/7")


def ses_event(event_type: str, **what: Any) -> dict[str, Any]:
    tags = {tag["Name"]: [tag["Value"]] for tag in to_ses_tags(OURS)}
    mail = {
        "timestamp": "2026-11-20T10:00:00.000Z",
        "source": "Orders <orders@shop.example>",
        "messageId": "0100-ses",
        "destination": ["ada@example.org"],
        "tags": {"ses:configuration-set": ["live"], **tags},
    }
    return {"eventType": event_type, "mail": mail, **what}


def sms_event(event_type: str, **changed: Any) -> dict[str, Any]:
    return {
        "eventType": event_type,
        "eventVersion": "1.0",
        "eventTimestamp": 1763632800000,
        "isFinal": True,
        "destinationPhoneNumber": "+4915112345678",
        "messageId": "0100-sms",
        "messageStatus": event_type.removeprefix("TEXT_"),
        "messageStatusDescription": "Message to +4915112345678",
        "context": to_sms_context(OURS),
        **changed,
    }


def text_back(text: str, **changed: Any) -> dict[str, Any]:
    return {
        "originationNumber": "+4915112345678",
        "destinationNumber": "+12125550101",
        "messageKeyword": "KEYWORD_0",
        "messageBody": text,
        "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
        "previousPublishedMessageId": "0100-sms",
        **changed,
    }


def whatsapp_event(*statuses: dict[str, Any], **value: Any) -> dict[str, Any]:
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
    if statuses:
        change["value"]["statuses"] = list(statuses)
    return {
        "context": {"MetaWabaIds": [], "MetaPhoneNumberIds": []},
        "whatsAppWebhookEntry": json.dumps({"id": "5", "changes": [change]}),
        "aws_account_id": "123456789012",
        "message_timestamp": "2026-11-20T10:00:00.271279391Z",
        "messageId": "6d69f07a-c317-4278-9d5c-6a84078419ec",
    }


def status(word: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": "wamid.HBgL",
        "status": word,
        "timestamp": "1763632800",
        "recipient_id": "4915112345678",
        "biz_opaque_callback_data": to_whatsapp_callback(OURS),
        **changed,
    }


def told(body: dict[str, Any]) -> list[Told]:
    found = read(json.dumps(body))
    return [] if found is None else list(found.payload().receipts)


BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [
        {
            "emailAddress": "ada@example.org",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 ada@example.org user unknown",
        }
    ],
    "timestamp": "2026-11-20T10:00:02.669Z",
}


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (ses_event("Send", send={}), "accepted", ""),
        (
            ses_event(
                "DeliveryDelay",
                deliveryDelay={"timestamp": "2026-11-20T10:01:00Z", "delayType": "MailboxFull"},
            ),
            "delayed",
            "MailboxFull",
        ),
        (ses_event("Delivery", delivery={"timestamp": "2026-11-20T10:00:01Z"}), "delivered", ""),
        (ses_event("Bounce", bounce=BOUNCE), "bounced", "Permanent.General"),
        (
            ses_event(
                "Complaint",
                complaint={
                    "timestamp": "2026-11-20T11:00:00Z",
                    "complaintSubType": None,
                    "complaintFeedbackType": "abuse",
                },
            ),
            "complained",
            "abuse",
        ),
        (
            ses_event("Bounce", bounce=BOUNCE | {"bounceType": "Transient"}),
            "soft_bounced",
            "Transient.General",
        ),
        (
            ses_event("Bounce", bounce=BOUNCE | {"bounceType": "Undetermined"}),
            "soft_bounced",
            "Undetermined.General",
        ),
        (ses_event("Open", open={"timestamp": "2026-11-20T10:00:00Z"}), "opened", ""),
        (
            ses_event("Click", click={"timestamp": "2026-11-20T10:00:00Z", "link": "https://x"}),
            "clicked",
            "",
        ),
        (ses_event("Rendering Failure", failure={"errorMessage": "no {{x}}"}), "rejected", ""),
        (ses_event("Reject", reject={"reason": "Bad content"}), "rejected", ""),
        (sms_event("TEXT_QUEUED", isFinal=False), "accepted", "QUEUED"),
        (sms_event("TEXT_SUCCESSFUL", isFinal=False), "accepted", "SUCCESSFUL"),
        (sms_event("TEXT_SUCCESSFUL"), "delivered", "SUCCESSFUL"),
        (sms_event("TEXT_DELIVERED"), "delivered", "DELIVERED"),
        (sms_event("TEXT_UNREACHABLE", isFinal=False), "delayed", "UNREACHABLE"),
        (sms_event("TEXT_SENT", isFinal=False), "accepted", "SENT"),
        (sms_event("TEXT_PENDING", isFinal=False), "accepted", "PENDING"),
        (sms_event("TEXT_UNREACHABLE"), "soft_bounced", "UNREACHABLE"),
        (sms_event("TEXT_CARRIER_UNREACHABLE"), "soft_bounced", "CARRIER_UNREACHABLE"),
        (sms_event("TEXT_CARRIER_BLOCKED"), "soft_bounced", "CARRIER_BLOCKED"),
        (sms_event("TEXT_SPAM"), "soft_bounced", "SPAM"),
        (sms_event("TEXT_TTL_EXPIRED"), "soft_bounced", "TTL_EXPIRED"),
        (sms_event("TEXT_BLOCKED"), "bounced", "BLOCKED"),
        (sms_event("TEXT_BLOCKED", isFinal=False), "delayed", "BLOCKED"),
        (sms_event("TEXT_INVALID"), "rejected", "INVALID"),
        (sms_event("TEXT_INVALID_MESSAGE"), "rejected", "INVALID_MESSAGE"),
        (sms_event("TEXT_PROTECT_BLOCKED"), "rejected", "PROTECT_BLOCKED"),
        (sms_event("TEXT_UNKNOWN"), "delayed", "UNKNOWN"),
        (whatsapp_event(status("sent")), "accepted", ""),
        (whatsapp_event(status("delivered")), "delivered", ""),
        (whatsapp_event(status("read")), "read", ""),
        (
            whatsapp_event(status("failed", errors=[{"code": 131047, "title": "Re-engagement"}])),
            "rejected",
            "131047",
        ),
    ],
)
def test_each_word_of_each_provider_is_read(body: dict[str, Any], kind: str, code: str) -> None:
    [receipt] = told(body)
    assert (receipt.kind, receipt.code) == (kind, code)
    assert (str(receipt.delivery_id), receipt.generation, receipt.number) == (DELIVERY, 2, 1)
    assert receipt.provider_message_id in ("0100-ses", "0100-sms", "wamid.HBgL")
    assert receipt.occurred_at.year in (2025, 2026)


def complaint(**said: str) -> dict[str, Any]:
    return ses_event("Complaint", complaint={"timestamp": "2026-11-20T11:00:00Z", **said})


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure"])
def test_a_report_in_which_nobody_complains_is_passed_over(feedback: str) -> None:
    assert told(complaint(complaintFeedbackType=feedback)) == []


def test_what_ses_did_not_send_because_of_an_earlier_complaint_came_back() -> None:
    [receipt] = told(complaint(complaintSubType="OnAccountSuppressionList"))
    assert (receipt.kind, receipt.code) == ("bounced", "OnAccountSuppressionList")
    assert receipt.opted_out


def test_times_are_the_providers() -> None:
    [bounced] = told(ses_event("Bounce", bounce=BOUNCE))
    assert bounced.occurred_at == datetime(2026, 11, 20, 10, 0, 2, 669000, tzinfo=UTC)
    [texted] = told(sms_event("TEXT_DELIVERED"))
    [chatted] = told(whatsapp_event(status("sent")))
    assert texted.occurred_at == chatted.occurred_at == datetime(2025, 11, 20, 10, tzinfo=UTC)


def test_no_address_travels_on() -> None:
    said = {"complaintFeedbackType": "abuse of ada@example.org"}  # by whoever runs a mailbox
    for body in (
        ses_event("Bounce", bounce=BOUNCE),
        ses_event("Complaint", complaint=said),
        sms_event("TEXT_INVALID"),
    ):
        found = read(json.dumps(body))
        assert found is not None
        assert "ada@" not in envelope.write(found)
        assert "15112345678" not in envelope.write(found)


def test_wrapped_by_sns_or_raw_it_says_the_same() -> None:
    raw = json.dumps(sms_event("TEXT_DELIVERED"))
    wrapped = json.dumps({"Type": "Notification", "MessageId": "x", "Message": raw})
    assert read(raw) == read(wrapped)


def test_what_is_repeated_has_the_same_id_and_what_is_new_another() -> None:
    first, again = (told(whatsapp_event(status("sent")))[0] for _ in range(2))
    [later] = told(whatsapp_event(status("delivered")))
    assert first.id == again.id != later.id


def test_one_entry_may_speak_of_several_messages() -> None:
    other = to_whatsapp_callback(Correlation(f"{DELIVERY}.2.9", "order.shipped", "order/8"))
    body = whatsapp_event(status("sent"), status("read", biz_opaque_callback_data=other))
    assert [receipt.number for receipt in told(body)] == [1, 9]


def test_it_travels_to_its_task_as_an_event_that_no_queue_takes() -> None:
    found = read(json.dumps(sms_event("TEXT_DELIVERED")))
    assert found is not None
    assert (found.type, found.subject, found.foreign) == ("delivery.receipt", "order/7", False)
    assert envelope.read(envelope.write(found), internal=True) == found
    with pytest.raises(NotAnEvent):
        envelope.read(envelope.write(found))


NOT_OURS = [
    ses_event("Send", send={}) | {"mail": {"timestamp": "2026-11-20T10:00:00Z", "messageId": "x"}},
    ses_event("Subscription", subscription={"timestamp": "2026-11-20T10:00:00Z"}),
    {"notificationType": "Bounce", "bounce": {}, "mail": {}},
    sms_event("TEXT_DELIVERED", context={"account": "bar"}),
    sms_event("TEXT_DELIVERED", context={"tag": "not-one-of-ours"}),
    sms_event("VOICE_COMPLETED"),
    whatsapp_event(status("sent", biz_opaque_callback_data="campaign-1")),
    whatsapp_event(status("warning")),
    whatsapp_event(messages=[{"id": "w", "timestamp": "1763632800", "type": "system"}]),
]


@pytest.mark.parametrize("body", NOT_OURS)
def test_what_is_well_formed_and_not_ours_is_passed_over(body: dict[str, Any]) -> None:
    assert read(json.dumps(body)) is None


def test_what_ses_says_when_it_is_pointed_here_is_passed_over() -> None:
    assert read(ses.SETUP) is None
    assert read(json.dumps({"Type": "Notification", "Message": ses.SETUP})) is None


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "[]",
        "{}",
        json.dumps({"specversion": "1.0", "type": "order.created", "id": "x"}),
        json.dumps({"event_type": "order.created", "order_id": 1, "timestamp": "2026-11-20"}),
        json.dumps(ses_event("Send") | {"mail": {"messageId": "x"}}),
        json.dumps(ses_event("Bounce", bounce="no object")),
        json.dumps(sms_event("TEXT_DELIVERED", eventTimestamp="yesterday")),
        json.dumps(sms_event("TEXT_DELIVERED", context=["tag"])),
        json.dumps({"whatsAppWebhookEntry": "no json"}),
        json.dumps(whatsapp_event(status("sent", timestamp="soon"))),
        json.dumps(whatsapp_event(messages=[{"from": "4915112345678", "id": "w"}])),
        json.dumps({"inboundMessageId": "x"}),
        json.dumps({"handedOn": {"receipts": [{}]}}),
    ],
)
def test_what_is_no_receipt_is_refused_and_not_quoted(body: str) -> None:
    with pytest.raises(NotAnEvent) as refused:
        read(body)
    assert "yesterday" not in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "kind"),
    [(name, kind) for name, (_, kinds) in FORMS.items() for kind in sorted(kinds)],
)
def test_what_the_sandbox_says_is_read_as_it_was_meant(channel: str, kind: str) -> None:
    incoming = Incoming(addresses=("+4915112345678",), correlation=OURS, text="")
    [receipt] = told(FORMS[channel][0](Taken(incoming, "m-1", 1763632800.0), kind))
    assert receipt.kind == kind


WROTE = {"from": "4915112345678", "id": "wamid.W", "timestamp": "1763632800"}


@pytest.mark.parametrize(
    ("body", "channel", "word"),
    [
        (whatsapp_event(messages=[WROTE | {"text": {"body": "Hello there"}}]), "whatsapp", None),
        (whatsapp_event(messages=[WROTE | {"text": {"body": " Stop! "}}]), "whatsapp", "opt_out"),
        (whatsapp_event(messages=[WROTE | {"button": {"text": "STOP"}}]), "whatsapp", "opt_out"),
        (
            whatsapp_event(
                messages=[WROTE | {"interactive": {"button_reply": {"id": "1", "title": "Start"}}}]
            ),
            "whatsapp",
            "opt_in",
        ),
        (text_back("ARRÊT"), "sms", "opt_out"),
        (text_back("please stop", messageKeyword="STOP"), "sms", "opt_out"),
        (text_back("when does it come?", messageKeyword="KEYWORD_1"), "sms", None),
        (text_back("unstop"), "sms", "opt_in"),
    ],
)
def test_who_writes_back_is_heard_and_of_what_only_two_words(
    body: dict[str, Any], channel: str, word: str | None
) -> None:
    found = read(json.dumps(body))
    assert found is not None
    [reply] = cast(ReceiptsCame, found.payload()).heard
    assert (reply.channel, reply.word) == (channel, word)
    assert reply.hashes[0] == address_hash("+4915112345678")
    travels = envelope.write(found).lower()
    assert not any(text in travels for text in ("15112345678", "stop", "come", "hello"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *((text, "opt_out") for text in ("STOP", "stop.", "Stop all", "Opt-Out", "end")),
        *((text, "opt_out") for text in ("unsubscribe", "Cancel", "quit", "arrete", "STOPP")),
        ("START", "opt_in"),
        *((text, None) for text in ("", "Stop, please", "yes", "don't stop", "stop" * 20, "12")),
    ],
)
def test_a_word_is_the_whole_of_a_message(text: str, word: str | None) -> None:
    assert word_of(text) == word


def test_a_hard_bounce_says_where_it_went_by_its_hash_and_a_block_that_they_want_no_more() -> None:
    [bounced] = told(ses_event("Bounce", bounce=BOUNCE))
    assert (bounced.address_hash, bounced.opted_out) == (address_hash("ada@example.org"), False)
    [blocked] = told(sms_event("TEXT_BLOCKED"))
    assert (blocked.address_hash, blocked.opted_out) == (address_hash("+4915112345678"), True)
    [later] = told(sms_event("TEXT_CARRIER_BLOCKED"))
    assert not later.opted_out


def test_what_is_handed_on_is_read_as_it_was_written_in_bodies_that_sqs_takes() -> None:
    statuses = [status("sent", id=f"wamid.{number}") for number in range(250)]
    words = [WROTE | {"id": f"wamid.W{number}"} for number in range(3)]
    value = {"statuses": statuses, "messages": words}
    found = whatsapp.read_call({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    bodies = [text for _, text in handed_on.write(found)]
    again = [read(text) for text in bodies]
    came = [cast(ReceiptsCame, each.payload()) for each in again if each is not None]
    assert [len(each.receipts) for each in came] == [100, 100, 50]
    assert [len(each.heard) for each in came] == [0, 0, 3]
    assert all(len(text) < 256 * 1024 for text in bodies)
    assert {told.provider for each in came for told in each.receipts} == {"meta-whatsapp"}
    assert came[0].subject == "order/7"


def test_only_the_three_services_may_publish() -> None:
    assert {name.removesuffix(".amazonaws.com") for name in SOURCE.publishers} == {
        *("ses", "sms-voice", "social-messaging"),
    }
