"""What somebody was told is kept for a while, sealed, and can be sent again to the letter."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from notifications import erasure, rendered, retention
from notifications.channels.base import Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import Retention
from notifications.exceptions import OutcomeUnknown, PermanentError
from notifications.models import Delivery, Dispatch, Event, JobItem, RenderedContent
from notifications.resend import ORIGINAL, resend_one
from tests.integration.letters import Town, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]


@pytest.fixture
def written(town: Town, tmp_path: Path) -> list[str]:
    """The words of the next letters: what is in it stands in the text."""
    (tmp_path / "notifications" / "order.created" / "email.txt").write_text("{{ words }}")
    words = ["the first words"]
    town.words = lambda: {"words": words[0]}
    return words


def sent(**given: Any) -> Any:
    told = letter(**given)
    Event.objects.create(
        **{
            name: getattr(told, name)
            for name in ("id", "type", "source", "subject", "time", "data")
        },
        recorded_at=told.time,
    )
    tell(told)
    return told


def bodies() -> list[str]:
    return [each.content.text for each in MemoryChannel.outbox("email")]


def again(*arguments: str) -> str:
    out = StringIO()
    call_command(
        "resend", "--state", "sent", *arguments, "--reason", "lost", "--by", "mira", stdout=out
    )
    return out.getvalue()


def arrive() -> None:
    """The resend's message reaches its worker."""
    dispatch = Dispatch.objects.latest("id")
    assert dispatch.event is not None
    tell(dispatch.event.envelope(generation=dispatch.generation))


def grow_old(days: int) -> None:
    RenderedContent.objects.update(created_at=F("created_at") - timedelta(days=days))


def test_half_a_character_in_the_words_costs_neither_the_outcome_nor_the_words(
    written: list[str],
) -> None:
    """A hook cut an emoji, say."""
    written[0] = "cut \ud83d"
    sent()
    delivery = Delivery.objects.get()
    assert delivery.state == Delivery.State.SENT
    told = rendered.kept(delivery.pk)
    assert told is not None
    assert told[1].text == "cut \ud83d"


def test_what_was_sent_is_kept_sealed_in_the_statement_that_settles_it(written: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        sent()

    writing = [each["sql"] for each in queries if "notifications_renderedcontent" in each["sql"]]
    assert len(writing) == 1
    assert "UPDATE notifications_delivery" in writing[0]
    assert "the first words" not in writing[0]
    row = RenderedContent.objects.get()
    assert (row.delivery_id, row.generation) == (Delivery.objects.get().pk, 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM notifications_renderedcontent")
        assert cursor.fetchone()[0].startswith("sealed:")
    found = rendered.kept(row.delivery_id)
    assert found is not None
    assert found == (0, MemoryChannel.outbox("email")[0].content)


def test_what_may_have_been_sent_is_kept_too(written: list[str], town: Town) -> None:
    def lost(message: Message) -> Any:
        raise OutcomeUnknown("no answer", "timeout")

    town.on_send = lost
    with pytest.raises(Exception, match="no answer"):
        sent()

    found = rendered.kept(Delivery.objects.get().pk)
    assert found is not None
    assert "the first words" in found[1].text


def test_what_was_not_sent_is_not_kept(written: list[str], town: Town) -> None:
    def refuse(message: Message) -> Any:
        raise PermanentError("no", "invalid_address")

    town.on_send = refuse
    with pytest.raises(PermanentError):
        sent()

    assert not RenderedContent.objects.exists()


def test_nothing_is_kept_where_the_setting_says_so(written: list[str], settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"RETENTION": Retention(bodies=0)}

    sent()

    assert bodies()
    assert not RenderedContent.objects.exists()


def test_a_text_is_deleted_when_its_days_are_over(written: list[str], settings: Any) -> None:
    sent()
    grow_old(29)
    retention.sweep()
    assert RenderedContent.objects.exists()

    grow_old(1)
    retention.sweep()

    assert not RenderedContent.objects.exists()
    assert Delivery.objects.exists()


def test_a_setting_of_no_days_deletes_what_was_kept_before(
    written: list[str], settings: Any
) -> None:
    sent()
    grow_old(1)
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"RETENTION": Retention(bodies=0)}

    retention.sweep()

    assert not RenderedContent.objects.exists()


def test_the_original_is_sent_again_to_the_letter(written: list[str]) -> None:
    sent()
    first = Delivery.objects.get().template_version
    written[0] = "other words"

    again("--as", "original")
    arrive()

    assert len(bodies()) == 2
    assert bodies()[0] == bodies()[1]
    delivery = Delivery.objects.get()
    assert (delivery.generation, delivery.original, delivery.state) == (1, 0, "sent")
    assert delivery.template_version == first


def test_without_the_word_it_is_rendered_anew(written: list[str]) -> None:
    sent()
    written[0] = "other words"

    again("--as", "original")
    arrive()
    again()
    arrive()

    assert "other words" in bodies()[2]
    assert Delivery.objects.get().original is None
    found = rendered.kept(Delivery.objects.get().pk)
    assert found is not None
    assert found[0] == 2


def test_an_original_that_is_kept_no_longer_is_refused_with_the_reason(written: list[str]) -> None:
    sent()
    RenderedContent.objects.all().delete()

    dry = again("--as", "original", "--dry-run")
    again("--as", "original")

    assert "original text is kept no longer" in dry
    item = JobItem.objects.get()
    assert (item.outcome, Delivery.objects.get().generation) == ("refused", 0)
    assert "kept no longer" in item.why


def test_an_original_that_grows_too_old_on_its_way_fails_and_says_so(written: list[str]) -> None:
    sent()
    again("--as", "original")
    RenderedContent.objects.all().delete()

    with pytest.raises(PermanentError, match="kept no longer"):
        arrive()

    assert len(bodies()) == 1
    assert Delivery.objects.get().reason == rendered.NOT_KEPT


def test_the_button_of_a_delivery_does_the_same(written: list[str]) -> None:
    sent()
    delivery = Delivery.objects.get()

    assert not resend_one(delivery, by="mira", reason="lost", text=ORIGINAL)
    assert "under way" in resend_one(delivery, by="mira", reason="lost")

    arrive()
    assert bodies()[0] == bodies()[1]


def test_a_first_send_asks_nothing_about_an_original(written: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        sent()

    assert not [each for each in queries if '"original"' in each["sql"]]


def test_a_text_whose_key_is_gone_is_kept_no_longer(written: list[str], settings: Any) -> None:
    sent()
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ENCRYPTION_KEYS": {2: "another secret"}}

    assert rendered.kept(Delivery.objects.get().pk) is None


def test_what_somebody_was_told_is_forgotten_with_them(written: list[str]) -> None:
    sent()

    counted = erasure.would_forget("customer/1").counts["texts"]
    erased = erasure.forget(person="customer/1", by="mira", reason="asked for it")

    assert (counted, erased.counts["texts"]) == (1, 1)
    assert not RenderedContent.objects.exists()
