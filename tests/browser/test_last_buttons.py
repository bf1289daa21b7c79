"""The few buttons that a demo gives no occasion to press."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from notifications import suppressions
from notifications.admin.display import page_url
from notifications.models import Job, Suppression

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
