"""The library's own test suite, as its developers would write it."""

import sys

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker
from django.db import transaction
from django.test import SimpleTestCase, TestCase

from library.celery import app, shelve
from library.consumers import counted
from library.events import BookDue
from library.notifications_worker import app as notifications_app
from notifications.channels.consumers import email
from notifications.exceptions import PermanentError
from notifications.models import Dispatch
from notifications.outbox import record
from notifications.testing import InProcess, deliver_in_process


def remind(loan: int) -> None:
    with transaction.atomic():
        record(BookDue(loan_id=loan))


class Reminders(TestCase):
    def test_the_reader_is_reminded(self) -> None:
        with deliver_in_process() as told:
            remind(1)

        (message,) = told.messages
        assert (message.channel, message.address) == ("email", "ann@example.org")
        assert message.subject == "Loan 1 is due"
        assert message.text == "Please bring the book of loan 1 back."
        assert (message.event_type, message.about) == ("book.due", "loan/1")
        assert told.deliveries.get().state == "sent"

    def test_a_reader_without_an_address_is_skipped(self) -> None:
        with deliver_in_process() as told:
            remind(2)

        assert told.by("email") == []
        assert told.deliveries.get().reason == "no_address"

    def test_service_consumers_run_too_and_what_they_record_is_delivered(self) -> None:
        counted.clear()

        with deliver_in_process() as told:
            remind(1)
            remind(2)

        assert counted == ["loan/1", "loan/2"]
        assert [event.type for event in told.events][2:] == ["reminder.counted"] * 2

    def test_a_refusal_is_raised_unless_it_is_what_is_tested(self) -> None:
        def refused() -> None:
            with deliver_in_process() as told:
                told.script("email", "refuse", code="MessageRejected")
                remind(1)

        with pytest.raises(PermanentError):
            refused()
        with deliver_in_process(raise_failures=False) as told:
            told.script("email", "refuse", code="MessageRejected")
            remind(1)

        assert told.deliveries.get().state == "failed"
        assert [(failure.consumer, str(failure.error)) for failure in told.failures] == [
            ("email", "MessageRejected: Scripted.")
        ]

    def test_what_was_recorded_before_is_left_alone(self) -> None:
        remind(1)

        with deliver_in_process() as told:
            pass

        assert told.messages == []
        assert Dispatch.objects.get().state == "waiting"

    def test_a_test_may_say_itself_when_to_deliver(self) -> None:
        with deliver_in_process() as told:
            remind(1)
            assert told.messages == []
            told.run()
            assert len(told.messages) == 1
        assert isinstance(told, InProcess)
        assert len(told.messages) == 1


class TwoCeleryApps(SimpleTestCase):
    def test_the_librarys_own_tasks_work_as_before(self) -> None:
        with start_worker(app, perform_ping_check=False, pool="solo"):
            assert shelve.delay(3).get(timeout=20) == "3 books shelved"

    def test_each_app_keeps_its_own_broker(self) -> None:
        assert current_app.conf.broker_url == "memory://"
        assert notifications_app.conf.broker_url == "sqs://"

    def test_nobody_puts_an_event_task_on_the_librarys_broker(self) -> None:
        with pytest.raises(TypeError, match="record"):
            email.delay({})


class WithoutTheShop(SimpleTestCase):
    def test_it_is_never_loaded(self) -> None:
        notifications_app.loader.import_default_modules()
        assert [name for name in sys.modules if name.startswith("orders_site")] == []
