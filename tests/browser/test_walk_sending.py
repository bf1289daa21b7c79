"""Every action on what sends, and to whom, of a running demo, pressed as an operator would.

Whether it took effect is seen on the pages alone. After each test the audit is looked at, and each
POST is sent again by somebody who may only look: none of them gets through.
"""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.running_demo import RunningDemo
from tests.browser.visitor import DELIVERIES, Visitor

TEMPLATE = "notifications/template/order.cancelled/sms/de/"
TEST_NUMBER = "+4917299200999"


def test_what_sends_is_held_paced_and_let_go(
    operator: Visitor, admin: Visitor, reader: Visitor
) -> None:
    for page, kind, name in (
        ("event-types", "event type", "order.cancelled"),
        ("event-types", "template", "order.cancelled/email"),
        ("providers", "provider", "whatsapp"),
        ("queues", "queue", "sms"),
    ):
        path = f"console/{page}/"
        reader.may_only_look(path, f"Pause {kind}")
        for verb in ("Pause", "Resume"):
            operator.go(path)
            operator.page.get_by_role("link", name=f"{verb} {kind} {name}", exact=True).click()
            action = f"{kind.replace(' ', '_')}.{verb.lower()}"
            operator.press(verb, f"{verb} {name}", action=action)
            operator.is_told(f"{verb}d: {kind} {name}")

    operator.may_not_press("console/providers/", "Change rate")
    for verb, fields, said in (
        ("Change rate", {"Rate": "30/s"}, "The limit of push is 30/s now."),
        ("Take back", {}, "The limit of push is 10000/s now."),
    ):
        admin.go("console/providers/")
        admin.page.get_by_role("link", name="Change rate push", exact=True).click()
        action = "rate_limit.set" if fields else "rate_limit.reset"
        admin.press(verb, f"{verb}: they said so", action=action, **fields)
        admin.is_told(said)


def test_what_waits_is_dropped_and_an_account_that_is_left_alone_is_tried(
    operator: Visitor, demo: RunningDemo, reader: Visitor
) -> None:
    """A template is stopped, a mail of it put off, dropped. Then mails fail until the account
    is left alone."""
    operator.go("console/switch/?kind=template&name=order.shipped/email")
    operator.press("Pause", "its link is wrong", action="template.pause")
    at = operator.open_first(f"{DELIVERIES}?state=delivered&channel=email&event_type=order.shipped")
    operator.follow("Send again …")
    operator.press("Send again", "they asked", action="job.resend")
    waits = "held while its event type or template is paused"
    operator.wait_to_see("console/event-types/", waits)
    reader.may_only_look("console/event-types/", "Drop what waits order.shipped/email")
    operator.page.get_by_role("link", name="Drop what waits order.shipped/email").click()
    operator.begin("Drop what is pending of one kind", "it is wrong", action="job.drop")
    operator.wait_to_see(at, "discarded: its last state")
    operator.go("console/switch/?kind=template&name=order.shipped/email")
    operator.press("Resume", "it is mended", action="template.resume")

    demo.let_fail("email")
    operator.go("console/bulk/?kind=resend&state=delivered&channel=email&limit=10")
    operator.begin("Send deliveries again", "they were lost", action="job.resend")
    operator.wait_to_see("console/providers/", "Try now")
    reader.may_only_look("console/providers/", "Try now email")
    demo.let_work("email")
    operator.page.get_by_role("link", name="Try now email", exact=True).click()
    operator.press("Try now", "they are back", action="breaker.probe")
    operator.is_told("Account email is tried with its next message.")
    operator.wait_to_see("console/providers/", "Try now", not_any_more=True)


def test_an_announcement_is_begun_by_a_client_and_held_paced_and_ended_on_its_page(
    admin: Visitor, operator: Visitor, reader: Visitor
) -> None:
    page = admin.go("api/apiclient/add/")
    page.get_by_label("Name").fill("newsroom")
    page.get_by_role("button", name="Save", exact=True).click()
    token = admin.content.locator("code").inner_text()
    at = admin.open_first("api/apiclient/")
    operator.may_not_press(at, "Let it announce", "Revoke")
    admin.press("Let it announce", "the spring sale", action="api_client.allow")
    news = {
        "event_type": "shop.news",
        "audience": "customers",
        "rate": 0.5,
        "reason": "sale",
        "data": {"percent_off": 20, "until": "2030-04-30", "code": "PINE20"},
    }
    begun = page.request.post(
        admin.demo.admin.replace("/admin/", "/api/announcements"),
        data=news,
        headers={"Authorization": f"Bearer {token}"},
    )
    assert begun.status == 201, begun.text()

    path = "console/announcements/"
    reader.may_only_look(path, "Pause", "Change rate", "Cancel")
    operator.may_not_press(path, "Cancel")
    for who, verb, fields in (
        (operator, "Pause", {}),
        (operator, "Resume", {}),
        (operator, "Change rate", {"Rate": "1/s"}),
        (admin, "Cancel", {}),
    ):
        who.go(path)
        who.content.get_by_role("link", name=re.compile(f"^{verb} ")).click()
        action = f"announcement.{verb.removeprefix('Change ').lower()}"
        who.press(verb, f"{verb}: a typo", action=action, **fields)
        who.is_told(f"Done: {verb}, announcement")
    expect(admin.content).to_contain_text("cancelled")
    for button, verb in {"Let it announce no more": "forbid", "Revoke": "revoke"}.items():
        admin.go(at)
        admin.press(button, "it is over", action=f"api_client.{verb}")
        admin.is_told(f"Done: {button}.")


def test_addresses_wishes_and_partners_are_written_down_and_changed(
    admin: Visitor, operator: Visitor, reader: Visitor
) -> None:
    page = operator.go("notifications/suppression/add/")
    page.get_by_label("Address").fill("nobody@shop.example")
    page.get_by_label("Why").fill("a shared mailbox")
    page.get_by_role("button", name="Save", exact=True).click()
    operator.acted.append(("suppression.add", "a shared mailbox"))
    at = admin.open_first("notifications/suppression/?q=nobody@shop.example")
    reader.may_only_look(at, "Let it be sent to again")
    operator.may_not_press(at, "Let it be sent to again")
    admin.press("Let it be sent to again", "it is hers", action="suppression.remove")
    admin.is_told("Done: Let it be sent to again.")

    page = admin.go("notifications/preference/add/")
    page.get_by_label("Person").fill("customer/1")
    page.get_by_label("Category").select_option("news")
    page.get_by_label("Channel").select_option("email")
    page.get_by_label("Reason").fill("on the phone")
    page.get_by_role("button", name="Save", exact=True).click()
    admin.acted.append(("preference.set", "on the phone"))
    at = admin.open_first("notifications/preference/?q=customer/1")
    operator.may_not_press(at, "Opt in")
    for button in ("Opt in", "Opt out"):
        admin.press(button, f"{button}, she says", action="preference.set")
        admin.is_told(f"Done: {button}.")

    page = admin.go("notifications/webhookendpoint/add/")
    page.get_by_label("Name").fill("warehouse")
    page.get_by_label("URL").fill("https://partner.example/hook")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(admin.content).to_contain_text("whsec_")
    admin.acted.append(("webhook.add", ""))
    at = admin.open_first("notifications/webhookendpoint/")
    reader.may_only_look(at, "Disable", "New secret")
    for button, verb in {"Disable": "disable", "Enable": "enable", "New secret": "rotate"}.items():
        admin.go(at)
        admin.press(button, f"{button}, they asked", action=f"webhook.{verb}")
        if verb == "rotate":
            expect(admin.content).to_contain_text("whsec_")
        else:
            admin.is_told(f"Done: {button}.")


def test_a_template_is_drafted_looked_at_published_brought_back_and_tried(
    admin: Visitor, reader: Visitor
) -> None:
    reader.may_only_look(TEMPLATE, "Save draft", "Publish", "Send a test")
    page = admin.go(TEMPLATE)
    text = page.get_by_label("Text", exact=True)
    for version in ("Storniert, {{ first_name }}!", "Storniert."):
        text.fill(version)
        admin.press("Check and preview")
        expect(admin.content).to_contain_text("GSM-7")
        admin.press("Save draft", action="template.save_draft")
        admin.is_told("is saved as a draft.")
        admin.press("Publish", "shorter", action="template.publish")
        admin.is_told("is published.")
    page.get_by_label("Send a test to").fill(TEST_NUMBER)
    page.get_by_role("button", name="Send a test").click()
    admin.is_told("Test sent to …0999")
    admin.follow("1")
    reader.may_only_look(admin.here, "Bring it back")
    admin.press("Bring it back", "too short", action="template.rollback")
    admin.is_told("Version 1 is back, as version 3.")
    text.fill("Never said.")
    admin.press("Save draft", action="template.save_draft")
    admin.press("Throw draft away", action="template.drop_draft")
    admin.press("Take back what is published", "the file is better", action="template.take_back")
    admin.is_told("Version 3 is taken back.")
    expect(admin.content).to_contain_text("In use: file")
