"""What an operator does at 3 AM, by keyboard: stop a queue, slow a provider, stop a template, drop
what it left, and let all of it go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from notifications import jobs, pauses, switches, undertakings
from notifications.models import Delivery, Dispatch, Job, Pause, RateLimit
from orders_site.orders.models import Order
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.usefixtures("empty_aws")

TEMPLATE = (Pause.Kind.TEMPLATE, "order.created/email")


@pytest.fixture(autouse=True)
def _fresh_switches() -> Iterator[None]:
    switches.look_again()
    yield
    switches.look_again()


def open_page(page: Page, name: str) -> None:
    page.goto("/admin/")
    page.locator("#content").get_by_role("link", name=name, exact=True).first.press("Enter")


def follow(page: Page, button: str) -> None:
    """One of a row's buttons; its name says what it is about, too."""
    page.get_by_role("link", name=button, exact=True).press("Enter")


def confirm(page: Page, button: str, reason: str, **typed: str) -> None:
    for label, text in typed.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Reason").first.fill(reason)
    page.get_by_role("button", name=button, exact=True).press("Enter")


def told_of(order: Order) -> Delivery:
    return Delivery.objects.get(subject=f"order/{order.pk}", channel="email")


def test_a_queue_is_paused_and_resumed_and_a_rate_changed_by_keyboard(signed_in: Page) -> None:
    page, content = signed_in, signed_in.locator("#content")
    open_page(page, "Queues")
    follow(page, "Pause queue email")
    expect(content).to_contain_text('manage.py queues pause email --reason "…"')
    confirm(page, "Pause", "")
    expect(page.get_by_label("Reason")).to_be_focused()  # the browser insists on one
    confirm(page, "Pause", "the account is being moved")
    row = page.locator("#queue-email")
    expect(row).to_contain_text("queue email, by ada: the account is being moved")
    expect(page.locator("#queue-email-bulk")).not_to_contain_text("queue email,")

    follow(page, "Resume queue email")
    expect(content).to_contain_text("the account is being moved")
    confirm(page, "Resume", "it has moved")
    expect(row).not_to_contain_text("by ada")
    assert not Pause.objects.in_force().exists()

    page.get_by_role("link", name="Providers", exact=True).first.press("Enter")
    follow(page, "Change rate sms")
    confirm(page, "Change rate", "they asked us to", Rate="fast")
    expect(page.get_by_role("alert")).to_contain_text("'fast' is no rate")
    confirm(page, "Change rate", "they asked us to", Rate="14/m")
    expect(page.locator("#account-sms")).to_contain_text("14/m by ada")
    expect(page.locator("#account-sms")).to_contain_text("they asked us to")
    assert RateLimit.objects.get(account="sms").reason == "they asked us to"


def test_a_template_gone_wrong_is_stopped_what_waits_is_dropped_and_it_goes_on(
    signed_in: Page,
) -> None:
    page = signed_in
    open_page(page, "Event types and templates")
    follow(page, "Pause template order.created/email")
    confirm(page, "Pause", "the link in it is wrong")
    row = page.locator("#template-order-created-email")
    expect(row).to_contain_text("by ada: the link in it is wrong")
    expect(page.locator("#template-order-created-push")).not_to_contain_text("by ada")
    order = an_order(customer=a_customer())
    event = Dispatch.objects.get(subject=f"order/{order.pk}").event
    assert event is not None
    assert pauses.put_off(event.envelope(), "email")  # as a worker does, on reading its message

    waits = "1 held while its event type or template is paused"
    expect(row).to_contain_text(waits, timeout=20_000)  # the page reads itself again
    follow(page, "Drop what waits order.created/email")
    expect(page.locator("#content")).to_contain_text("1 thing is meant.")
    confirm(page, "Drop what is pending of one kind", "the link in it is wrong")
    expect(page.locator(".messagelist")).to_contain_text("is begun")
    job = Job.objects.get()
    with_its_kind = undertakings.work_of(job.kind)
    Job.objects.update(runner=Job.Runner.PROCESS)  # no relay is there
    assert jobs.run(with_its_kind, job.pk).state == Job.State.DONE
    assert told_of(order).state == Delivery.State.DISCARDED

    open_page(page, "Event types and templates")
    follow(page, "Resume template order.created/email")
    confirm(page, "Resume", "it is mended")
    expect(row).not_to_contain_text("by ada")
    expect(page.get_by_role("link", name="Pause template order.created/email")).to_be_visible()


def test_who_may_only_look_is_told_why_nothing_can_be_pressed(signed_in: Page) -> None:
    page, user = signed_in, User.objects.get(username="ada")
    user.user_permissions.set(Permission.objects.filter(codename="view_pause"))
    User.objects.update(is_superuser=False)

    open_page(page, "Queues")
    button = page.locator("#queue-email").get_by_role("button", name="Pause queue")
    expect(button).to_be_disabled()
    expect(button).to_contain_text("You lack the permission")
    answer = page.goto("/admin/console/switch/?kind=queue&name=email")
    assert answer is not None
    assert answer.status == 403
