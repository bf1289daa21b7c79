"""What people want to hear decides what they are told; how they came to say so is on record."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from notifications import decision, erasure, refusals
from notifications.channels.memory import MemoryChannel
from notifications.models import Consent, Delivery, Preference, Suppression
from notifications.preferences import (
    CannotOptOut,
    Source,
    UnknownCategory,
    choices,
    set_preference,
    wanted,
)
from notifications.recipients import Recipient
from notifications.suppressions import is_suppressed, suppress
from tests import news
from tests.integration.letters import ANN, Town, letter, tell
from tests.plans import analyze, plan_of

pytestmark = pytest.mark.django_db

State = Delivery.State
PHONE = Recipient("customer/1", "+491701234567", locale="en")


@pytest.fixture
def club(town: Town, settings: Any, tmp_path: Path) -> Iterator[Town]:
    """The town, with a club that sends news."""
    with news.declared(settings, tmp_path):
        yield town


@pytest.fixture
def shy_club(town: Town, settings: Any, tmp_path: Path) -> Iterator[Town]:
    """A club that writes to nobody who has not asked for it."""
    with news.declared(settings, tmp_path, opt_in=True):
        yield town


def say(wants: bool, **changed: Any) -> bool:
    given = {"person": ANN.reference, "category": "news", "channel": "email", "source": Source.PAGE}
    return set_preference(**{**given, **changed}, wanted=wants)


def reason_of(envelope: Any, channel: str = "email") -> str:
    tell(envelope, channel)
    delivery = Delivery.objects.get(event_id=envelope.id, channel=channel)
    assert (delivery.state == State.SKIPPED) == bool(delivery.reason)
    assert len(MemoryChannel.outbox(channel)) == (0 if delivery.reason else 1)
    return delivery.reason


@pytest.mark.usefixtures("club")
def test_who_has_said_nothing_is_told_the_news() -> None:
    assert wanted(ANN.reference, "news", "email")
    assert reason_of(news.issue()) == ""


@pytest.mark.usefixtures("club")
def test_who_does_not_want_it_is_told_by_no_more_than_they_want() -> None:
    say(False)

    assert reason_of(news.issue()) == "unwanted"
    assert reason_of(news.issue(), "sms") == ""
    say(True)
    assert reason_of(news.issue(2)) == ""


@pytest.mark.usefixtures("shy_club")
def test_what_is_opt_in_is_told_to_nobody_who_has_not_asked() -> None:
    assert not wanted(ANN.reference, "news", "email")
    assert reason_of(news.issue()) == "unwanted"

    say(True)

    assert reason_of(news.issue()) == ""


@pytest.mark.usefixtures("shy_club")
def test_a_partner_who_has_asked_for_an_event_is_told_it_though_it_is_opt_in() -> None:
    partner = Recipient("webhook/1", "https://partner.example.org/hook")

    assert refusals.refusal(news.issue().event_type, partner, "webhook") == ""
    suppress(channel="webhook", address=partner.address, reason="operator")
    assert refusals.refusal(news.issue().event_type, partner, "webhook") == "suppressed: operator"


def test_a_preference_is_the_persons_wherever_they_are_reached(club: Town) -> None:
    club.people = [replace(ANN, reference="customer/1/address/2", person="customer/1")]
    say(False)

    assert reason_of(news.issue()) == "unwanted"


@pytest.mark.usefixtures("club")
def test_what_is_transactional_cannot_be_opted_out_of() -> None:
    with pytest.raises(CannotOptOut, match="service is transactional"):
        say(False, category="service")
    with pytest.raises(UnknownCategory, match="No category is named 'weather'; there are: news, s"):
        say(False, category="weather")

    assert not Preference.objects.exists()
    assert not Consent.objects.exists()
    assert wanted(ANN.reference, "service", "email")
    assert reason_of(letter()) == ""


@pytest.mark.parametrize(
    "reason", ["complaint", "hard_bounce", "opt_out_reply", "operator", "imported"]
)
@pytest.mark.usefixtures("club")
def test_a_suppressed_address_is_sent_nothing_not_even_a_receipt(reason: str) -> None:
    suppress(channel="email", address=ANN.address, reason=reason)

    assert reason_of(letter()) == reason_of(news.issue()) == f"suppressed: {reason}"
    assert reason_of(letter(), "sms") == ""


@pytest.mark.usefixtures("club")
def test_the_weightiest_of_several_reasons_is_told() -> None:
    for reason in ("imported", "complaint", "hard_bounce"):
        suppress(channel="email", address=ANN.address, reason=reason)

    assert reason_of(letter()) == "suppressed: complaint"


def test_a_number_is_suppressed_however_the_shop_spells_it(club: Town) -> None:
    club.people = [replace(PHONE, address="+49 170 123 4567")]
    suppress(channel="sms", address="491701234567", reason="opt_out_reply")

    assert reason_of(letter(), "sms") == "suppressed: opt_out_reply"


@pytest.mark.usefixtures("club")
def test_no_operator_may_override_what_a_person_has_said(town: Town) -> None:
    """Even where something else that may be overridden speaks against it, too."""
    town.untrue = "the order was cancelled"
    suppress(channel="email", address=ANN.address, reason="complaint")

    objection = decision.objection(letter(), ANN, channel="email")

    assert objection is not None
    assert (objection.reason, objection.overridable) == ("suppressed: complaint", False)


@pytest.mark.usefixtures("club")
def test_what_was_said_is_kept_with_how_it_was_said() -> None:
    assert say(False, source=Source.ONE_CLICK, proof="delivery 7")
    assert not say(False, source=Source.PAGE)  # no change of mind: nothing is written
    assert say(True, source=Source.OPERATOR, by="mira", reason="she wrote to us")

    first, second = Consent.objects.order_by("id")
    assert (first.wanted, first.source, first.proof, first.by) == (
        False,
        "one_click",
        "delivery 7",
        "",
    )
    assert (second.wanted, second.by, second.reason) == (True, "mira", "she wrote to us")
    preference = Preference.objects.get()
    assert (preference.wanted, preference.since) == (True, second.at)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("club")
def test_of_many_who_say_the_same_at_once_one_changes_something() -> None:
    def opt_out(_: int) -> bool:
        try:
            return say(False, source=Source.ONE_CLICK)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(opt_out, range(16))) == 1
    assert Consent.objects.count() == Preference.objects.count() == 1


@pytest.mark.usefixtures("club")
def test_everything_a_person_may_choose_is_listed_with_what_holds() -> None:
    say(False)

    found = {(each.category, each.channel): (each.wanted, each.said) for each in choices("x")}
    assert found == {
        ("service", "email"): (True, None),
        ("service", "sms"): (True, None),
        ("news", "email"): (True, None),
        ("news", "sms"): (True, None),
    }
    hers = {(each.category, each.channel): each.wanted for each in choices(ANN.reference)}
    assert hers[("news", "email")] is False


@pytest.mark.usefixtures("club")
def test_who_is_forgotten_leaves_no_wish_and_is_still_not_written_to() -> None:
    tell(news.issue())
    say(False)
    suppress(channel="email", address=ANN.address, reason="complaint", note="for ann@example.org")
    suppress(channel="email", address="ben@example.org", reason="complaint", note="kept")

    erased = erasure.forget(person=ANN.reference, by="mira", reason="she asked for it")

    assert (erased.counts["preferences"], erased.counts["suppressions"]) == (2, 1)
    assert not Preference.objects.exists()
    assert not Consent.objects.exists()
    notes = Suppression.objects.order_by("pk").values_list("hint", "note")
    assert list(notes) == [("", ""), ("b…@example.org", "kept")]
    assert is_suppressed("email", ANN.address)


@pytest.mark.usefixtures("club")
def test_a_send_costs_one_look_at_both_by_their_indexes() -> None:
    Preference.objects.bulk_create(
        Preference(person=f"customer/{n}", category="news", channel="email", wanted=False)
        for n in range(3000)
    )
    Suppression.objects.bulk_create(
        Suppression(channel="email", address_hash=f"1:{n}", reason="imported") for n in range(3000)
    )

    with CaptureQueriesContext(connection) as asked:
        refusals.refusal(news.issue().event_type, ANN, "email")

    (query,) = asked.captured_queries
    assert ANN.address not in query["sql"]
    analyze(Preference, Suppression)
    plan = plan_of(query["sql"])
    assert "Seq Scan" not in plan
    assert "preference_once" in plan
    assert "suppression_in_force_once" in plan or "suppression_by_address_hash" in plan


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("club")
def test_what_many_threads_ask_at_once_is_answered_to_each() -> None:
    suppress(channel="email", address="b3@example.org", reason="hard_bounce")
    say(False, person="customer/5")
    kind = news.issue().event_type

    def ask(number: int) -> str:
        try:
            somebody = Recipient(f"customer/{number}", f"b{number}@example.org")
            return refusals.refusal(kind, somebody, "email")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {number: said for number, said in enumerate(answers) if said} == {
        3: "suppressed: hard_bounce",
        5: "unwanted",
    }


class ToAReplica:
    """Where a replica answers what only looks. There is none here: whoever asks it fails."""

    def db_for_read(self, model: Any, **_: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "default"


@pytest.mark.usefixtures("club")
def test_what_somebody_has_just_said_is_not_read_from_a_replica(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.ToAReplica"]

    assert say(False)

    assert not wanted(ANN.who, "news", "email")
    assert next(each.wanted for each in choices(ANN.who) if each.category == "news") is False
