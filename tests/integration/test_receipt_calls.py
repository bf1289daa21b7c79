"""Calls over HTTP: who is not known is refused, what was taken is not taken again, nothing is lost.

What is refused changes nothing: each of these tests looks at all the tables that a call may write.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.test import Client

from notifications import receipt_calls, receipts
from notifications.channels.correlation import Correlation
from notifications.channels.receipts.reader import read
from notifications.conf import ReceiptWebhooks
from notifications.models import Conversation, Dispatch, Receipt, Seen
from tests.integration.test_receipts import a_delivery
from tests.receipt_calls import (
    META,
    NEW_SECRET,
    TWILIO,
    VERIFY_TOKEN,
    WEBHOOKS,
    call_meta,
    call_twilio,
    meta_body,
    meta_signature,
    meta_status,
    twilio_form,
    twilio_signature,
)

pytestmark = pytest.mark.django_db

TAG = "0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10.0.1"
PHONE = "4915112345678"


@pytest.fixture(autouse=True)
def _webhooks(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "RECEIPT_WEBHOOKS": WEBHOOKS,
        "PUBLIC_URL": "https://shop.example",
    }


def handed_on() -> QuerySet[Dispatch]:
    return Dispatch.objects.filter(reason=Dispatch.Reason.RECEIVED)


def nothing_changed() -> bool:
    tables = (Dispatch, Seen, Receipt, Conversation)
    return not any(table.objects.exists() for table in tables)


def play() -> None:
    """What the relay and the receipts worker make of the dispatches there are."""
    for dispatch in handed_on().order_by("pk"):
        assert (dispatch.kind, dispatch.destination) == ("queue", "receipts")
        assert dispatch.body is not None
        envelope = read(dispatch.body)
        assert envelope is not None
        receipts.take(envelope)


def test_a_call_of_metas_is_taken_and_settles_what_was_unknown() -> None:
    delivery = a_delivery("unknown")
    answer = call_meta(meta_body(meta_status(f"{delivery.pk}.0.1", "read")))
    assert (answer.status_code, answer.content) == (200, b"")
    assert not Receipt.objects.exists()
    play()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.receipts.get().kind) == ("delivered", "read")


@pytest.mark.parametrize(
    ("status", "code", "kind", "state"),
    [
        ("sent", "", "accepted", "sent"),
        ("delivered", "", "delivered", "delivered"),
        ("read", "", "read", "delivered"),
        ("undelivered", "30003", "soft_bounced", "bounced"),
        ("undelivered", "30005", "bounced", "bounced"),
        ("failed", "30007", "rejected", "bounced"),
    ],
)
def test_a_call_of_twilios_kind_is_taken(status: str, code: str, kind: str, state: str) -> None:
    delivery = a_delivery("sent")
    form = twilio_form(status, **({"ErrorCode": code} if code else {}))
    answer = call_twilio(form, tag=f"{delivery.pk}.0.1")
    assert (answer.status_code, answer.content) == (200, b"<Response/>")
    assert answer["Content-Type"] == "text/xml"
    play()
    play()
    delivery.refresh_from_db()
    receipt = delivery.receipts.get()
    assert (delivery.state, receipt.kind, receipt.code) == (state, kind, code)
    assert (receipt.provider, receipt.provider_message_id) == ("twilio", form["MessageSid"])


def test_an_adapter_is_told_where_its_provider_is_to_call(settings: Any) -> None:
    url = receipt_calls.callback_url(Correlation(TAG, "order.shipped", "order/7"))
    assert url == (
        f"https://shop.example/notifications/receipts/twilio?tag={TAG}"
        "&event_type=order.shipped&subject=order%2F7"
    )
    path, form = url.removeprefix("https://shop.example"), twilio_form("delivered")
    answer = Client().post(
        path,
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": twilio_signature(url, form)},
    )
    assert answer.status_code == 200
    assert handed_on().get().subject == "order/7"
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"PUBLIC_URL": ""}
    with pytest.raises(ImproperlyConfigured, match="PUBLIC_URL"):
        receipt_calls.callback_url(Correlation(TAG))


def test_what_is_handed_on_holds_no_address() -> None:
    call_meta(meta_body(meta_status(TAG, "failed", errors=[{"code": 1, "title": f"to {PHONE}"}])))
    call_twilio(twilio_form("sent"), tag=TAG)
    bodies = list(Dispatch.objects.values_list("body", flat=True))
    assert len(bodies) == 2
    assert not any(PHONE in str(body) for body in bodies)


FORGED = ["", "sha256=", "sha256=" + "0" * 64, meta_signature(b"{}"), "é"]


@pytest.mark.parametrize("signature", [*FORGED, meta_signature(meta_body(), "somebody's guess")])
def test_a_forged_call_of_metas_is_refused(
    signature: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    before = receipt_calls.refusals.snapshot().get("meta forged", 0)
    answer = call_meta(meta_body(meta_status(TAG, "delivered")), signature=signature)
    assert (answer.status_code, nothing_changed()) == (403, True)
    assert receipt_calls.refusals.snapshot()["meta forged"] == before + 1
    assert "a call of meta is refused: forged" in caplog.text
    assert PHONE not in caplog.text
    assert TAG not in caplog.text


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "AAAA",
        twilio_signature("https://shop.example" + TWILIO, twilio_form("delivered"), "a guess"),
        twilio_signature("https://other.example" + TWILIO, twilio_form("delivered")),
        twilio_signature("https://shop.example" + TWILIO, twilio_form("sent")),
    ],
)
def test_a_forged_call_of_twilios_kind_is_refused(signature: str) -> None:
    answer = call_twilio(twilio_form("delivered"), signature=signature)
    assert (answer.status_code, nothing_changed()) == (403, True)


def test_a_tag_put_into_a_signed_url_is_a_forgery() -> None:
    """Else one's own delivered message would speak for somebody else's."""
    form = twilio_form("delivered")
    stolen = twilio_signature("https://shop.example" + TWILIO, form)
    assert call_twilio(form, tag=TAG, signature=stolen).status_code == 403
    assert nothing_changed()


def test_behind_a_proxy_the_public_url_is_what_was_signed(settings: Any) -> None:
    seen_by_us = "http://testserver"
    assert call_twilio(twilio_form("sent"), tag=TAG, base=seen_by_us).status_code == 403
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"PUBLIC_URL": ""}
    assert call_twilio(twilio_form("sent"), tag=TAG, base=seen_by_us).status_code == 200


def test_a_secret_is_replaced_without_a_call_lost() -> None:
    body = meta_body(meta_status(TAG, "delivered"))
    assert call_meta(body, signature=meta_signature(body, NEW_SECRET)).status_code == 200


def test_a_replayed_call_is_refused_and_changes_nothing() -> None:
    delivery = a_delivery("sent")
    tag = f"{delivery.pk}.0.1"
    body, form = meta_body(meta_status(tag, "delivered")), twilio_form("sent")
    assert (call_meta(body).status_code, call_twilio(form, tag=tag).status_code) == (200, 200)
    kept = (handed_on().count(), Seen.objects.count())
    assert kept == (2, 2)
    for _ in range(2):
        assert (call_meta(body).status_code, call_twilio(form, tag=tag).status_code) == (409, 409)
    assert (handed_on().count(), Seen.objects.count()) == kept
    # Signed anew by the secret that follows, or its parameters put in another order: the same.
    assert call_meta(body, signature=meta_signature(body, NEW_SECRET)).status_code == 409
    again = dict(reversed(form.items()))
    assert call_twilio(again, tag=tag).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_of_one_call_made_many_times_at_once_one_is_taken() -> None:
    body = meta_body(meta_status(TAG, "delivered"))

    def made(_: int) -> int:
        try:
            return int(call_meta(body).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(made, range(4)))
    assert answers == [200, 409, 409, 409]
    assert (handed_on().count(), Seen.objects.count()) == (1, 1)


def test_parameters_cut_in_another_place_are_the_same_call() -> None:
    """The signature is over names and values without a mark between them."""
    form = twilio_form("delivered", ErrorMessage="x")
    assert call_twilio(form, tag=TAG).status_code == 200
    cut = {name: value for name, value in form.items() if name != "ErrorMessage"}
    cut["ErrorMessagex"] = ""
    assert call_twilio(cut, tag=TAG).status_code == 409


def test_what_happened_too_long_ago_is_a_replay_whoever_kept_it() -> None:
    old = str(int(time.time() - (receipt_calls.WINDOW + timedelta(hours=1)).total_seconds()))
    body = meta_body(meta_status(TAG, "delivered", timestamp=old))
    assert (call_meta(body).status_code, nothing_changed()) == (409, True)
    late = str(int(time.time() - (receipt_calls.WINDOW - timedelta(hours=1)).total_seconds()))
    assert call_meta(meta_body(meta_status(TAG, "delivered", timestamp=late))).status_code == 200


def test_a_call_that_could_not_be_kept_is_taken_when_it_comes_again() -> None:
    """The signature is remembered in the transaction that hands it on: both, or neither."""
    body = meta_body(meta_status(TAG, "delivered"))
    with transaction.atomic():
        assert call_meta(body).status_code == 200
        transaction.set_rollback(True)
    assert nothing_changed()
    assert call_meta(body).status_code == 200


def test_somebody_elses_message_is_passed_over() -> None:
    body = meta_body(meta_status("campaign-1", "delivered"))
    assert (call_meta(body).status_code, call_meta(body).status_code) == (200, 200)
    assert call_twilio(twilio_form("delivered")).status_code == 200
    assert nothing_changed()


@pytest.mark.parametrize(
    ("content_type", "status"), [("text/plain", 415), ("application/x-www-form-urlencoded", 415)]
)
def test_another_kind_of_body_is_refused(content_type: str, status: int) -> None:
    answer = call_meta(meta_body(meta_status(TAG, "sent")), content_type=content_type)
    assert (answer.status_code, nothing_changed()) == (status, True)


def test_a_long_body_is_refused_before_it_is_read() -> None:
    long = b" " * (receipt_calls.META.most + 1)
    assert call_meta(long).status_code == 413
    form = twilio_form("sent", ErrorMessage="x" * receipt_calls.TWILIO.most)
    assert call_twilio(form, tag=TAG).status_code == 413
    for length in (str(receipt_calls.META.most + 1), "9" * 5000):
        declared = call_meta(b"{}", CONTENT_LENGTH=length)
        assert (declared.status_code, nothing_changed()) == (413, True)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"entry": 1}', b"\xff", json.dumps({"no": "entry"}).encode()]
)
def test_a_signed_body_that_cannot_be_read_is_left_with_its_caller(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert (call_meta(body).status_code, nothing_changed()) == (400, True)
    assert "cannot be read" in caplog.text


def test_a_form_with_thousands_of_fields_is_refused() -> None:
    form = twilio_form("sent") | {f"f{n}": "" for n in range(receipt_calls.MOST_FIELDS)}
    assert call_twilio(form, tag=TAG).status_code == 400


def test_only_a_post_says_something() -> None:
    client = Client()
    assert [client.put(url).status_code for url in (META, TWILIO)] == [405, 405]
    assert client.get(TWILIO).status_code == 405


def test_without_secrets_there_is_nothing_to_be_called(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"RECEIPT_WEBHOOKS": ReceiptWebhooks()}
    assert call_meta(meta_body(meta_status(TAG, "sent"))).status_code == 404
    assert call_twilio(twilio_form("sent"), tag=TAG).status_code == 404
    assert challenged(VERIFY_TOKEN).status_code == 404


def challenged(token: str, challenge: str = "1158201444", mode: str = "subscribe") -> Any:
    query = {"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge}
    return Client().get(META, query)


def test_meta_is_told_its_own_word_back_if_it_knows_ours() -> None:
    answer = challenged(VERIFY_TOKEN)
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"] == "text/plain"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (("a guess",), 403),
        (("",), 403),
        ((VERIFY_TOKEN, "1", "unsubscribe"), 403),
        ((VERIFY_TOKEN, "<script>"), 400),
        ((VERIFY_TOKEN, "1" * 201), 400),
        ((VERIFY_TOKEN, ""), 400),
    ],
)
def test_whoever_does_not_know_it_is_told_nothing(answer: tuple[str, ...], status: int) -> None:
    assert challenged(*answer).status_code == status


def test_one_call_may_hold_more_than_one_message_of_a_queue() -> None:
    statuses = [meta_status(TAG, "sent", id=f"wamid.{number}") for number in range(201)]
    assert call_meta(meta_body(*statuses)).status_code == 200
    assert Dispatch.objects.count() == 3
    assert Seen.objects.count() == 1


def test_of_a_call_only_an_id_is_remembered() -> None:
    call_meta(meta_body(meta_status(TAG, "sent")))
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, kept_until > now() + interval '7 days' FROM notifications_seen")
        [(seen, kept)] = cursor.fetchall()
    assert (isinstance(seen, UUID), kept) == (True, True)
