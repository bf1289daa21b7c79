"""The few buttons that a demo gives no occasion to press."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from notifications import schedule, suppressions
from notifications.admin.display import page_url
from notifications.models import Job, ScheduledEvent, Suppression
from orders_site.events import OrderShipped

pytestmark = pytest.mark.django_db(transaction=True)


def press(page: Page, button: str, reason: str) -> None:
    form = page.locator("form", has=page.get_by_role("button", name=button, exact=True))
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text(f"Done: {button}.")).to_be_visible()


def test_a_job_is_handed_to_the_relays_and_a_stopped_stage_goes_on(signed_in: Page) -> None:
    about = {"filter": {"queue": ["email"]}, "actor": "mira", "reason": "x", "rate": 1.0}
    typed = Job.objects.create(kind=Job.Kind.REDRIVE, runner=Job.Runner.PROCESS, **about)
    signed_in.goto(page_url(typed))
    press(signed_in, "Hand it to the relays", "its terminal is gone")
    typed.refresh_from_db()
    assert typed.runner == Job.Runner.RELAY

    Job.objects.filter(pk=typed.pk).update(state=Job.State.STOPPED, stage=1)
    signed_in.reload()
    press(signed_in, "Go on with this stage", "it is mended now")
    typed.refresh_from_db()
    assert typed.state == Job.State.RUNNING


def test_an_address_whose_owner_complained_is_sent_to_again_by_a_button_of_its_own(
    signed_in: Page,
) -> None:
    suppressions.suppress(
        channel="email",
        address="ann@example.org",
        reason=Suppression.Reason.COMPLAINT,
        by="ses",
        note="spam",
    )
    listed = Suppression.objects.get()
    signed_in.goto(page_url(listed))
    press(signed_in, "They have asked for it: let it be sent to again", "she asked for it")
    listed.refresh_from_db()
    assert listed.removed_at is not None


def test_what_is_scheduled_is_recorded_now_or_called_off(signed_in: Page) -> None:
    later = timezone.now() + timedelta(hours=1)
    with transaction.atomic():
        first, second = (schedule.add(OrderShipped(order_id=n), at=later) for n in (1, 2))
    signed_in.goto(page_url(ScheduledEvent(pk=first)))
    press(signed_in, "Record now", "they are waiting for it")
    assert schedule.record_due() == 1

    signed_in.goto(page_url(ScheduledEvent(pk=second)))
    press(signed_in, "Call off", "it came back")
    assert ScheduledEvent.objects.get(pk=second).state == ScheduledEvent.State.CALLED_OFF
    assert signed_in.get_by_role("button", name="Call off").count() == 0
