"""Edit and resend: what may be put right, who hears it, and what stays as it was."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from notifications import edits, resend
from notifications.channels.memory import MemoryChannel
from notifications.conf import Editable
from notifications.edited_resend import edit_and_resend, why_not
from notifications.edits import Fact, Kind, Wrong
from notifications.exceptions import TransientError
from notifications.models import Attempt, AuditEntry, Delivery, Event, Job
from tests.integration.letters import ANN, BEN, Town
from tests.integration.test_resend import message, recorded, tell

pytestmark = pytest.mark.django_db

BY = {"by": "mira", "reason": "the wrong carrier"}


@pytest.fixture(autouse=True)
def editable(town: Town, settings: Any, tmp_path: Any) -> None:
    """The currency of an order is free and its total sensitive; its mail says both."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "EDITABLE": {"order.created": Editable(free=("currency",), sensitive=("total_minor",))},
    }
    (tmp_path / "notifications" / "order.created" / "email.txt").write_text(
        "Order {{ data.order_id }}: {{ data.total_minor }} {{ data.currency }}"
    )
    town.people = [ANN, BEN]


def told() -> Delivery:
    """Ann and Ben have been told of one order; Ann's delivery."""
    envelope = recorded()
    facts = {"order_id": 7, "customer_id": 1, "total_minor": 990, "currency": "EUR"}
    Event.objects.filter(pk=envelope.id).update(data=facts)
    tell(Event.objects.get(pk=envelope.id).envelope())
    return Delivery.objects.get(recipient=ANN.reference)


def texts(address: str = ANN.address) -> list[str]:
    mails = MemoryChannel.outbox("email")
    return [mail.content.text for mail in mails if mail.address == address]


def test_only_that_delivery_is_told_the_edited_facts_and_the_event_stays() -> None:
    delivery = told()

    assert edit_and_resend(delivery, {"currency": "CHF"}, **BY) == ""
    assert message().data["currency"] == "EUR"
    tell(message())
    tell(message())

    assert texts() == ["Order 7: 990 EUR", "Order 7: 990 CHF"]
    assert texts(BEN.address) == ["Order 7: 990 EUR"]
    assert Event.objects.get().data["currency"] == "EUR"
    delivery.refresh_from_db()
    assert (delivery.state, delivery.generation) == ("sent", 1)
    assert "CHF" not in Delivery.objects.annotate(raw=F("edited")).values("raw").get(pk=delivery.pk)
    entry = AuditEntry.objects.get(action="delivery.edit_and_resend")
    assert (entry.actor, entry.target) == ("mira", str(delivery.pk))
    assert (entry.before, entry.after) == ({"currency": "EUR"}, {"currency": "CHF"})


def test_another_message_of_the_event_that_comes_first_tells_it_the_edited_facts_too() -> None:
    """Ben's resend has the same generation, and asks everybody's rows."""
    delivery = told()
    edit_and_resend(delivery, {"currency": "CHF"}, **BY)
    resend.resend_one(Delivery.objects.get(recipient=BEN.reference), by="mira", reason="lost")
    tell(message())
    assert texts()[1:] == ["Order 7: 990 CHF"]
    assert texts(BEN.address)[1:] == ["Order 7: 990 EUR"]


def test_what_was_put_right_stays_so_until_it_is_edited_again() -> None:
    delivery = told()
    edit_and_resend(delivery, {"currency": "CHF"}, **BY)
    tell(message())
    resend.resend_one(Delivery.objects.get(pk=delivery.pk), by="mira", reason="lost again")
    tell(message())
    delivery.refresh_from_db()
    edit_and_resend(delivery, {"currency": "EUR"}, **BY)
    tell(message())
    assert texts()[1:] == ["Order 7: 990 CHF", "Order 7: 990 CHF", "Order 7: 990 EUR"]
    delivery.refresh_from_db()
    assert edits.of(delivery) == {}


def test_what_was_put_right_by_a_key_that_this_worker_has_not_yet_is_waited_for(
    settings: Any,
) -> None:
    """A key is rotated: the console has begun anew already, a worker has not."""
    older = settings.NOTIFICATIONS
    keys = {**older["ENCRYPTION_KEYS"], 2: "the next secret of the tests"}
    delivery = told()
    settings.NOTIFICATIONS = {**older, "ENCRYPTION_KEYS": keys}
    edit_and_resend(delivery, {"currency": "CHF"}, **BY)

    settings.NOTIFICATIONS = older
    with pytest.raises(TransientError):
        tell(message())
    assert texts()[1:] == [], "not what was wrong once more"
    delivery.refresh_from_db()
    assert (delivery.state, delivery.generation) == ("retrying", 1)
    assert "sealed by key 2" in delivery.last_error

    settings.NOTIFICATIONS = {**older, "ENCRYPTION_KEYS": keys}
    Delivery.objects.update(next_try_at=None)
    tell(message())
    assert texts()[1:] == ["Order 7: 990 CHF"]


def test_the_shop_is_asked_again_and_its_no_leaves_nothing_behind(town: Town) -> None:
    delivery = told()
    town.untrue = "it was cancelled"
    assert "it was cancelled" in edit_and_resend(delivery, {"currency": "CHF"}, **BY)
    delivery.refresh_from_db()
    assert (delivery.generation, delivery.edited, Job.objects.count()) == (0, "", 0)
    assert not AuditEntry.objects.filter(action="delivery.edit_and_resend").exists()

    assert edit_and_resend(delivery, {"currency": "CHF"}, **BY, override=True) == ""
    tell(message())
    assert texts()[1:] == ["Order 7: 990 CHF"]


def test_what_is_sensitive_needs_its_subject_typed_and_is_hidden_in_the_audit() -> None:
    delivery = told()
    with pytest.raises(Wrong) as refused:
        edit_and_resend(delivery, {"total_minor": "1090"}, **BY, confirm="order/8")
    assert refused.value.problems == {"confirm": "type order/7 here"}

    assert edit_and_resend(delivery, {"total_minor": "1090"}, **BY, confirm="order/7") == ""
    entry = AuditEntry.objects.get(action="delivery.edit_and_resend")
    assert "1090" not in f"{entry.before}{entry.after}"
    tell(message())
    assert texts()[-1] == "Order 7: 1090 EUR"


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"customer_id": "2"}, "customer_id", "it is locked"),
        ({"order_id": "8"}, "order_id", "it is locked"),
        ({"colour": "red"}, "colour", "no such field"),
        ({"currency": "francs"}, "currency", "should match pattern"),
        ({"total_minor": "-1"}, "total_minor", "greater than or equal to 0"),
        ({"total_minor": "ten"}, "total_minor", "valid integer"),
        ({"currency": "C\0F"}, "currency", "cannot be kept"),
        ({"currency": "C" * 10_001}, "currency", "at most 10000"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(
    typed: dict[str, str], field: str, said: str
) -> None:
    delivery = told()
    with pytest.raises(Wrong) as refused:
        edit_and_resend(delivery, typed, **BY, confirm="order/7")
    assert list(refused.value.problems) == [field]
    assert said in refused.value.problems[field]
    assert not Job.objects.exists()


def test_nothing_may_be_edited_that_the_setting_does_not_name(settings: Any) -> None:
    delivery = told()
    assert edit_and_resend(delivery, {"currency": "EUR"}, **BY).startswith("nothing was changed")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "EDITABLE": {}}
    assert "nothing of this event type" in edit_and_resend(delivery, {"currency": "CHF"}, **BY)
    assert all(fact.kind is Kind.LOCKED for fact in edits.facts(delivery.event, delivery))


def test_what_is_under_way_or_without_its_event_is_not_edited() -> None:
    delivery = told()
    delivery.state = "pending"
    assert "under way" in why_not(delivery)
    delivery.state = "sent"
    Event.objects.all().delete()
    assert "kept no longer" in why_not(delivery)


def test_a_form_shows_what_was_put_right_beside_what_is_recorded() -> None:
    delivery = told()
    edit_and_resend(delivery, {"currency": "CHF"}, **BY)
    delivery.refresh_from_db()
    assert edits.facts(delivery.event, delivery) == [
        Fact("order_id", Kind.LOCKED, "7"),
        Fact("customer_id", Kind.LOCKED, "1"),
        Fact("total_minor", Kind.SENSITIVE, "990"),
        Fact("currency", Kind.FREE, "CHF", recorded="EUR"),
    ]


def test_an_attempt_keeps_what_was_asked_in_numbers_and_no_word_of_it() -> None:
    delivery = told()
    request = Attempt.objects.get(delivery=delivery).request
    assert request.startswith("send; subject 7, text 16 characters; version ")
    assert request.endswith(f"key {delivery.pk}.0")
    assert "990" not in request


def test_the_command_edits_and_resends_by_the_same_rules() -> None:
    delivery = told()

    def edit(*arguments: str) -> str:
        out = StringIO()
        about = ("deliveries", "edit", str(delivery.pk), "--reason", "x", "--by", "mira")
        call_command(*about, *arguments, stdout=out)
        return out.getvalue()

    assert "It would be resent.\nNothing was done." in edit("--set", "currency=CHF", "--dry-run")
    with pytest.raises(CommandError, match="Nothing was done: confirm: type order/7 here"):
        edit("--set", "total_minor=1090")
    assert not Job.objects.exists()
    assert "is resent with currency" in edit("--set", "currency=CHF")
    tell(message())
    assert texts()[-1] == "Order 7: 990 CHF"
