"""`manage.py forget`: a person is erased, and nothing of them is found in any table."""

from __future__ import annotations

import base64
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from django_celery_results.models import TaskResult

from notifications import erasure, jobs, letter_discards, redrive, resend, schedule
from notifications.admin import search
from notifications.conf import Route
from notifications.conversations import note_inbound, window_open
from notifications.discarding import RestoreLetters
from notifications.models import (
    Attempt,
    AuditEntry,
    DeadLetter,
    Delivery,
    Dispatch,
    Erasure,
    Job,
    JobEntry,
    JobItem,
    Receipt,
    ScheduledEvent,
)
from notifications.receipts import Told, envelope_of, take
from notifications.resend import Resend
from notifications.testing import deliver_in_process
from orders_site.customers.models import Customer, Device
from orders_site.events import OrderShipped
from orders_site.orders.models import Order
from orders_site.recipients import resolve
from tests.integration.operator_rows import (
    ADDRESSES,
    CHANNELS,
    EMAIL,
    PHONE,
    TOKEN,
    make_attempt,
    make_delivery,
    make_event,
    make_receipt,
)
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db
State = Delivery.State
ALL_LETTERS = {"reason": ["not_an_event"]}


def forget(*arguments: str) -> str:
    out = StringIO()
    call_command("forget", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def customer() -> Customer:
    customer = Customer.objects.create(
        first_name="Gustav", last_name="Klein", email=EMAIL, phone=PHONE, whatsapp=PHONE
    )
    Device.objects.create(customer=customer, platform="web", token=TOKEN)
    return customer


@pytest.fixture
def person(customer: Customer) -> str:
    """Somebody who was told over every channel, and of whom something went wrong."""
    person = f"customer/{customer.pk}"
    for number, channel in enumerate(CHANNELS, start=1):
        event = make_event(number)
        reference = f"{person}/device/1" if channel == "push" else person
        delivery = make_delivery(event, channel=channel, recipient=reference)
        Delivery.objects.filter(pk=delivery.pk).update(
            sent_at=timezone.now(), last_error="550 Gustav Klein: full"
        )
        task = uuid4()
        make_attempt(delivery)
        Attempt.objects.filter(delivery=delivery).update(task_id=task)
        make_receipt(delivery)
        TaskResult.objects.create(task_id=str(task), traceback="of Gustav Klein", result="{}")
        DeadLetter.objects.create(
            queue=channel,
            message_id=str(uuid4()),
            body=json.dumps({"id": str(event.pk)}).encode(),
            event_id=event.pk,
            subject=event.subject,
            reason="failed",
            error="550 Gustav Klein: full",
        )
        job = Job.objects.create(kind="resend", rate=1, actor="mira", reason="the bug is mended")
        why = "550 Gustav Klein: full"
        JobItem.objects.create(job=job, delivery=delivery, outcome="failed", why=why)
        job.write(f"stage 1 failed again: {event.subject}: {why}")
    return person


def everything_kept() -> str:
    """Every row of this app and the shop, as the database has it: sealed texts unsealed."""
    rows = []
    for label in ("notifications", "customers", "django_celery_results"):
        for model in apps.get_app_config(label).get_models():
            for row in model._default_manager.values():
                rows.append(
                    repr({k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()})
                )
    return "\n".join(rows)


def test_nothing_that_names_them_is_found_in_any_table(person: str) -> None:
    assert all(address in everything_kept() for address in (*ADDRESSES.values(), "Gustav"))

    said = forget(person, "--reason", "asked for it")

    kept = everything_kept()
    for trace in (*ADDRESSES.values(), "Gustav", "Klein"):
        assert trace not in kept
    assert "deliveries: 4" in said
    assert "failed tasks: 4" in said
    assert JobEntry.objects.filter(text__endswith=": forgotten").count() == 4


def test_what_an_operator_said_of_them_goes_wherever_it_was_said(person: str) -> None:
    Delivery.objects.update(state="failed")
    mail = Delivery.objects.get(channel="email")
    resend.resend_one(mail, by="ada", reason="Gustav Klein rang at noon")
    whatsapp, push = (DeadLetter.objects.get(queue=queue) for queue in ("whatsapp", "push"))
    letter_discards.discard([whatsapp.pk], by="ada", reason="Gustav Klein rang at two")
    redrive.redrive_one(push, by="ada", reason="Gustav Klein rang at six")
    assert "rang at" in everything_kept()

    forget(person, "--reason", "asked for it")

    assert "rang at" not in everything_kept()
    assert "Klein" not in everything_kept()
    assert JobEntry.objects.filter(by="ada", text="begun, 1 item: forgotten").count() == 2


def test_what_was_said_of_what_is_scheduled_about_them_goes_and_the_facts_stay(person: str) -> None:
    later = timezone.now() + timedelta(days=7)
    with transaction.atomic():
        of_theirs = schedule.add(OrderShipped(order_id=1), at=later)
        of_others = schedule.add(OrderShipped(order_id=9), at=later)
    ScheduledEvent.objects.create(
        event_type="customer.greeted", version=1, subject=person, due_at=later, look_at=later
    )
    ScheduledEvent.objects.update(state="refused", error="of Gustav Klein nobody knows")
    for number in (of_theirs, of_others):
        schedule.bring_forward(number, by="ada", reason="Gustav Klein rang at noon")
    ScheduledEvent.objects.exclude(pk=of_others).update(error="of Gustav Klein nobody knows")

    forget(person, "--reason", "asked for it")

    assert not ScheduledEvent.objects.exclude(error="").exists()
    entries = AuditEntry.objects.filter(action="scheduled_event.bring_forward")
    said = dict(entries.values_list("subject", "reason"))
    assert said == {"order/1": "forgotten", "order/9": "Gustav Klein rang at noon"}
    assert ScheduledEvent.objects.get(pk=of_theirs).state == "waiting"


def test_of_what_is_scheduled_about_their_orders_nobody_is_told() -> None:
    theirs, another = (an_order(customer=a_customer(email=f"{n}@example.org")) for n in "ab")
    Order.objects.update(state=Order.State.SHIPPED)
    with transaction.atomic():
        for order in (theirs, another):
            schedule.add(OrderShipped(order_id=order.pk, carrier="DHL"), at=timezone.now())

    forget(f"customer/{theirs.customer_id}", "--reason", "asked for it")

    with deliver_in_process() as told:
        assert schedule.record_due() == 2
    assert {event.subject for event in told.events} == {f"order/{theirs.pk}", f"order/{another.pk}"}
    assert {message.about for message in told.messages} == {f"order/{another.pk}"}


def test_why_a_job_was_begun_that_is_about_others_too_stays(person: str) -> None:
    job = Job.objects.create(
        kind="resend", rate=1, total=2, actor="ada", reason="the bug is mended"
    )
    for delivery in (Delivery.objects.get(channel="email"), make_delivery(make_event(9))):
        JobItem.objects.create(job=job, delivery=delivery)
    job.write("begun, 2 items: the bug is mended", by="ada")

    forget(person, "--reason", "asked for it")

    job.refresh_from_db()
    assert job.reason == "the bug is mended"
    assert job.log.get().text.endswith(": the bug is mended")


def test_an_id_of_metas_goes_because_the_number_can_be_read_from_it(person: str) -> None:
    wamid = "wamid." + b64encode(b"\x1d\x0b" + PHONE.encode()).decode()
    whatsapp = Delivery.objects.filter(channel="whatsapp")
    for rows in (whatsapp, Attempt.objects, Receipt.objects):
        rows.update(provider_message_id=wamid)
    Delivery.objects.filter(channel="email").update(provider_message_id="0100-ses")

    forget(person, "--reason", "asked for it")

    assert "wamid." not in everything_kept()
    assert Delivery.objects.get(channel="email").provider_message_id == "0100-ses"


def test_what_they_were_told_and_when_stays_and_can_be_proven(person: str) -> None:
    forget(person, "--reason", "asked for it")

    email = Delivery.objects.get(channel="email")
    assert (email.state, email.sent_at is not None, email.address) == (State.SENT, True, "")
    assert email.address_hash.startswith("proof:1:")
    proven = json.loads(forget(person, "--prove", EMAIL.upper(), "--json"))
    assert [each["delivery"] for each in proven["sent"]] == [str(email.pk)]
    assert forget(person, "--prove", "somebody.else@example.org") == "0 sent to this address.\n"


def test_before_they_are_forgotten_the_same_question_has_the_same_answer(person: str) -> None:
    assert "1 sent to this address" in forget(person, "--prove", EMAIL)


def test_two_proofs_of_one_person_have_nothing_in_common(person: str) -> None:
    forget(person, "--reason", "asked for it")

    proofs = set(Delivery.objects.values_list("address_hash", flat=True))
    assert len(proofs) == len(CHANNELS)


@pytest.mark.parametrize("state", [State.PENDING, State.RETRYING, State.UNKNOWN])
def test_what_was_still_to_be_told_is_not_told(customer: Customer, state: State) -> None:
    delivery = make_delivery(make_event(), state=state, recipient=f"customer/{customer.pk}")
    Delivery.objects.filter(pk=delivery.pk).update(next_try_at=timezone.now())

    forget(f"customer/{customer.pk}", "--reason", "asked for it")

    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == (State.DISCARDED, "forgotten")
    assert delivery.next_try_at is None
    assert delivery.finished_at is not None
    assert delivery.address_hash == ""


def test_what_is_being_sent_is_left_to_its_sender_and_said(customer: Customer) -> None:
    delivery = make_delivery(make_event(), state="sending", recipient=f"customer/{customer.pk}")
    until = timezone.now() + timedelta(seconds=30)
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=until)

    with pytest.raises(CommandError, match="1 of their deliveries are being sent"):
        forget(f"customer/{customer.pk}", "--reason", "asked for it")

    delivery.refresh_from_db()
    assert (delivery.state, delivery.address) == (State.SENDING, EMAIL)


def test_whose_sender_died_and_whose_message_is_lost_is_forgotten_too(customer: Customer) -> None:
    delivery = make_delivery(make_event(), state="sending", recipient=f"customer/{customer.pk}")
    attempt = make_attempt(delivery, outcome="started")
    lapsed = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=lapsed)

    forget(f"customer/{customer.pk}", "--reason", "asked for it")

    delivery.refresh_from_db()
    attempt.refresh_from_db()
    assert (delivery.state, delivery.reason, delivery.address) == ("discarded", "forgotten", "")
    assert attempt.outcome == "unknown", "nobody will ever say"


def test_an_address_or_somebody_unknown_is_not_taken_for_done_in_silence() -> None:
    with pytest.raises(CommandError, match="this is an address"):
        forget(EMAIL, "--reason", "asked for it")
    assert not Erasure.objects.exists()

    said = forget("customer/881", "--reason", "asked for it")
    assert "Nothing was kept of customer/881: is this their reference?" in said


def test_nobody_else_is_touched(customer: Customer, person: str) -> None:
    neighbour = make_delivery(make_event(9), recipient=f"{person}1")

    forget(person, "--reason", "asked for it")

    neighbour.refresh_from_db()
    assert neighbour.address == EMAIL


@pytest.mark.parametrize("address", [EMAIL, PHONE, "+49 170 123-4567"])
def test_an_address_is_no_person_and_nobody_is_said_to_be_forgotten(
    person: str, address: str
) -> None:
    with pytest.raises(CommandError, match="this is an address") as caught:
        forget(address, "--reason", "asked for it")

    assert address not in str(caught.value)
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_half_a_reference_forgets_nobody(person: str, dry: list[str]) -> None:
    make_delivery(make_event(9), recipient=f"{person}1")
    before = everything_kept()

    with pytest.raises(CommandError, match=r"nobody is named customer.*--all-below"):
        forget("customer", "--reason", "asked for it", *dry)

    assert everything_kept() == before


def test_who_is_told_only_at_several_places_is_one_person(person: str) -> None:
    Delivery.objects.exclude(channel="push").delete()
    make_delivery(make_event(9), channel="push", recipient=f"{person}/device/2")

    assert "deliveries: 2" in forget(person, "--reason", "asked for it")


def test_all_that_is_below_a_reference_is_forgotten_by_who_says_so(person: str) -> None:
    make_delivery(make_event(9), recipient=f"{person}1")

    assert "deliveries: 5" in forget("customer", "--all-below", "--reason", "a test shop")


@pytest.mark.parametrize("spelled", [EMAIL, PHONE, PHONE.removeprefix("+")])
def test_an_address_that_another_publisher_put_into_a_body_goes_with_the_body(
    person: str, spelled: str
) -> None:
    Delivery.objects.filter(channel="email").update(address=EMAIL.capitalize())
    letter = DeadLetter.objects.create(
        queue="email",
        message_id="m-1",
        body=json.dumps({"order": 1, "to": spelled}).encode(),
        attributes={"for": spelled},
        reason="not_an_event",
    )

    forget(person, "--reason", "asked for it")

    letter.refresh_from_db()
    assert (bytes(letter.body), letter.attributes) == (b"", {})
    assert (letter.state, letter.change_reason) == ("discarded", "its body held an address")


def test_what_was_wiped_is_left_alone_by_who_opens_discarded_letters(person: str) -> None:
    """There is nothing left of it that could be redriven, or understood."""
    wiped, other = a_letter_that_says(json.dumps({"to": EMAIL})), a_letter_that_says("{}")
    letter_discards.discard([other.pk], by="ada", reason="a test")
    forget(person, "--reason", "asked for it")
    erased = "its body was erased, because somebody in it was forgotten"

    for dry_run in (True, False):
        (answer,) = letter_discards.restore([wiped.pk], by="ada", reason="x", dry_run=dry_run)
        assert answer.why_not == erased

    work = RestoreLetters()
    assert {verdict.why for _, verdict in jobs.try_out(work, ALL_LETTERS, override=False)} == {
        erased,
        "",
    }
    job = jobs.run(work, jobs.begin(work, ALL_LETTERS, by="ada", reason="x", rate=1000.0).pk)
    assert (job.state, job.counts["left_alone"], job.counts["done"]) == ("done", 1, 1)
    assert set(DeadLetter.objects.filter(state="open").values_list("pk", flat=True)) >= {other.pk}
    wiped.refresh_from_db()
    assert (wiped.state, wiped.change_reason) == ("discarded", "its body held an address")


def test_of_one_that_was_opened_all_the_same_a_redrive_says_so(person: str) -> None:
    wiped = a_letter_that_says(json.dumps({"to": EMAIL}))
    forget(person, "--reason", "asked for it")
    DeadLetter.objects.filter(pk=wiped.pk).update(state="open")
    assert "its body was erased" in redrive.redrive_one(wiped, by="ada", reason="x")


@pytest.mark.parametrize("escape", [str, str.upper])
def test_an_address_is_found_as_json_escapes_it(person: str, escape: Callable[[str], str]) -> None:
    Delivery.objects.filter(channel="email").update(address="müller@example.org")
    body = json.dumps({"to": "müller@example.org"}).replace("00fc", escape("00fc"))
    letter = a_letter_that_says(body)

    forget(person, "--reason", "asked for it")

    letter.refresh_from_db()
    assert bytes(letter.body) == b""


def test_a_letter_that_came_later_is_found_by_an_address_that_is_known_no_more(person: str) -> None:
    forget(person, "--reason", "asked for it")
    late = a_letter_that_says(json.dumps({"to": EMAIL}))

    forget(person, "--reason", "a letter came later", "--address", EMAIL)

    late.refresh_from_db()
    assert bytes(late.body) == b""
    assert EMAIL not in everything_kept()


def test_what_was_put_on_a_queue_again_goes_and_what_waits_for_it_is_said(person: str) -> None:
    gone, waits = (
        Dispatch.objects.create(
            kind="queue",
            destination="email-bulk",
            reason="redriven",
            body=json.dumps({"to": EMAIL}),
            attributes={"for": PHONE},
            state=state,
        )
        for state in ("published", "waiting")
    )

    with pytest.raises(CommandError, match="1 messages that hold an address"):
        forget(person, "--reason", "asked for it")

    gone.refresh_from_db()
    waits.refresh_from_db()
    assert (gone.body, gone.attributes) == ("", {})
    assert EMAIL in str(waits.body), "it is still to be published"
    Dispatch.objects.update(state="published")
    forget(person, "--reason", "once more", "--address", EMAIL)
    assert EMAIL not in everything_kept()


def test_of_the_outbox_only_what_others_wrote_is_read(person: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "dispatch_once_more" in Dispatch.objects.with_any([EMAIL, PHONE]).explain()


def a_letter_that_says(body: str) -> DeadLetter:
    return DeadLetter.objects.create(
        queue="email", message_id=str(uuid4()), body=body.encode(), reason="not_an_event"
    )


def test_the_shop_forgets_the_customer_and_keeps_the_order(customer: Customer) -> None:
    order = Order.objects.create(
        customer=customer, currency="EUR", total_minor=100, placed_at=timezone.now()
    )

    forget(f"customer/{customer.pk}", "--reason", "asked for it")

    customer.refresh_from_db()
    assert customer.forgotten_at is not None
    assert not customer.devices.exists()
    assert Order.objects.get(pk=order.pk).customer == customer


def test_of_what_happens_later_nobody_is_told(customer: Customer) -> None:
    order = Order.objects.create(
        customer=customer, currency="EUR", total_minor=100, placed_at=timezone.now()
    )
    event = make_event(order.pk).envelope()

    forget(f"customer/{customer.pk}", "--reason", "asked for it")

    for channel in CHANNELS:
        (recipient,) = resolve(event, Route(channel))
        assert recipient.address == ""


def test_it_is_on_record_by_whom_and_why_and_for_whoever_knows_the_name(person: str) -> None:
    forget(person, "--reason", "asked for it", "--by", "ada")

    (record,) = erasure.erasures_of(person)
    assert (record.by, record.reason, record.counts["deliveries"]) == ("ada", "asked for it", 4)
    assert person not in repr(Erasure.objects.values())
    assert not erasure.erasures_of("customer/0").exists()


def test_done_once_more_it_finds_nothing_and_the_proof_stays(person: str) -> None:
    forget(person, "--reason", "asked for it")
    before = list(Delivery.objects.order_by("pk").values_list("address_hash", flat=True))

    forget(person, "--reason", "once more")

    assert list(Delivery.objects.order_by("pk").values_list("address_hash", flat=True)) == before


def test_a_dry_run_counts_and_changes_nothing(person: str) -> None:
    before = everything_kept()

    found = json.loads(forget(person, "--dry-run", "--json"))

    assert found["erased"]["deliveries"] == 4
    assert found["erased"]["receipts"] == Receipt.objects.exclude(detail="").count()
    assert everything_kept() == before


def test_without_a_reason_nobody_is_forgotten(person: str) -> None:
    with pytest.raises(CommandError, match="--reason"):
        forget(person)
    assert Customer.objects.filter(first_name="Gustav").exists()


def test_a_shop_whose_hook_fails_has_nothing_forgotten(person: str, settings) -> None:
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "FORGET": "tests.integration.test_forget.no",
    }

    with pytest.raises(RuntimeError):
        forget(person, "--reason", "asked for it")

    assert EMAIL in everything_kept()


def no(person: str) -> None:
    raise RuntimeError("the shop is busy")


def test_a_shop_without_the_hook_is_told_so(person: str, settings) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FORGET": ""}

    assert "own tables were not asked" in forget(person, "--reason", "asked for it")


def test_an_id_of_meta_s_goes_with_the_number_that_is_in_it(customer: Customer) -> None:
    """Also where its receipt comes late. Of another provider the id stays: it proves the send."""
    wamid = f"wamid.{base64.b64encode(f'HBg{PHONE}UCABIS'.encode()).decode()}"
    deliveries = [
        make_delivery(
            make_event(number), channel="whatsapp", recipient=f"customer/{customer.pk}", state=state
        )
        for number, state in enumerate((State.SENT, State.UNKNOWN), start=1)
    ]
    for delivery in deliveries:
        make_attempt(delivery, outcome="unknown")
        make_receipt(delivery)
    for model in (Delivery, Attempt, Receipt):
        model.objects.update(provider_message_id=wamid)
    sms = make_delivery(make_event(3), channel="sms", recipient=f"customer/{customer.pk}")
    searched = {"named": search.deliveries(wamid), "state": ["unknown"]}
    jobs.begin(Resend(), searched, by="ada", reason="searched for", rate=1.0)

    forget(f"customer/{customer.pk}", "--reason", "asked for it")
    for delivery in deliveries:
        word = Told(
            delivery_id=delivery.pk,
            generation=0,
            number=1,
            provider="meta-whatsapp",
            provider_message_id=wamid,
            kind=Receipt.Kind.READ,
            code="",
            detail="",
            occurred_at=timezone.now(),
        )
        take(envelope_of((word,), subject=delivery.subject))

    assert Receipt.objects.filter(kind=Receipt.Kind.READ).count() == 2
    assert "wamid" not in everything_kept()
    sms.refresh_from_db()
    assert sms.provider_message_id.startswith("provider-")


def test_what_a_provider_says_later_is_kept_without_its_words(person: str) -> None:
    delivery = Delivery.objects.get(channel="email")
    forget(person, "--reason", "asked for it")
    word = Told(
        delivery_id=delivery.pk,
        generation=0,
        number=delivery.attempts,
        provider="ses",
        provider_message_id="0100-ses",
        kind=Receipt.Kind.SOFT_BOUNCED,
        code="General",
        detail="552 the mailbox of Gustav Klein is full",
        occurred_at=timezone.now(),
    )
    take(envelope_of((word,), subject=delivery.subject))

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("bounced", "soft_bounced: General")
    assert Receipt.objects.filter(kind="soft_bounced", detail="", code="General").exists()
    assert "Klein" not in everything_kept()


def test_when_they_wrote_to_us_is_forgotten_too(person: str) -> None:
    note_inbound("whatsapp", PHONE, timezone.now())
    note_inbound("whatsapp", "+4915112345999", timezone.now())
    forget(person, "--reason", "they asked")
    assert not window_open("whatsapp", PHONE)
    assert window_open("whatsapp", "+4915112345999")
