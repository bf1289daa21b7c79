"""Every action on what was told or failed of a running demo, pressed as an operator would.

Whether it took effect is seen on the pages alone. After each test the audit is looked at, and each
POST is sent again by somebody who may only look: none of them gets through.
"""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import pictures
from tests.browser.running_demo import RunningDemo
from tests.browser.visitor import DELIVERIES, LETTERS, Visitor
from tests.waiting import wait_for


def test_deliveries_are_settled_discarded_suppressed_and_revealed(
    operator: Visitor, reader: Visitor
) -> None:
    unknown = f"{DELIVERIES}?state=unknown"
    wait_for(lambda: operator.count(unknown) >= 2, within=60, what="two unknown texts")
    at = operator.open_first(unknown)
    buttons = ("It was sent", "It was not sent", "Discard", "Suppress its address")
    reader.may_only_look(at, *buttons, "Send again", "Edit and send again", "Reveal personal data")

    operator.press("It was not sent", "not in their log", action="delivery.settle")
    operator.is_told("Done: It was not sent.")
    state = operator.content.locator(".field-state_badge")
    expect(state.first).to_contain_text("failed")
    operator.press_by_keys("Discard", "too late for it", action="delivery.discard")
    operator.is_told("Done: Discard.")
    expect(state.first).to_contain_text("discarded")
    operator.press("Suppress its address", "she moved", action="suppression.add")
    operator.is_told("Done: Suppress its address.")

    operator.open_first(unknown)
    operator.press("It was sent", "it is in their log", action="delivery.settle")
    expect(state.first).to_contain_text("sent")
    operator.press("Reveal personal data")
    operator.acted.append(("personal_data.reveal", ""))
    operator.is_told("Personal data is shown")
    expect(operator.content).to_contain_text(re.compile(r"\+\d{9}"))


def test_a_delivery_is_sent_again_as_it_was_as_it_is_now_and_with_facts_put_right(
    operator: Visitor, admin: Visitor, reader: Visitor
) -> None:
    shipped = f"{DELIVERIES}?state=delivered&channel=email&event_type=order.shipped"
    at = operator.open_first(shipped)
    reader.may_only_look(at, "Send again", "Edit and send again")
    for words, why in {
        "Exactly what was sent the last time": "she lost it",
        "As its templates make it now": "she lost it again",
    }.items():
        operator.go(at)
        operator.follow("Send again …")
        operator.press("Show the words and what is different")
        expect(operator.content).to_contain_text("What is different now")
        pictures.take_all(operator.page, "send-again")
        operator.page.get_by_label(words).check()
        operator.press("Send again", why, action="job.resend")
        operator.is_told("It is sent again, on the bulk queue")
        operator.wait_to_see(at, "delivered: its last state")

    operator.may_not_press(at, "Edit and send again")
    admin.go(at)
    admin.follow("Edit and send again …")
    admin.press("Check, and show what is different", carrier="Postbote")
    expect(admin.content).to_contain_text("Postbote")
    pictures.take_all(admin.page, "edit-and-send-again")
    admin.press("Send with these facts", "another carrier", action="delivery.edit_and_resend")
    admin.is_told("It is sent again")
    admin.wait_to_see(at, "another carrier")


def test_rows_of_the_list_become_a_job_and_the_list_a_file(
    operator: Visitor, admin: Visitor, reader: Visitor
) -> None:
    reader.may_only_look(f"{DELIVERIES}?state=delivered", "Send again", "Discard", "Export as CSV")
    page = operator.go(f"{DELIVERIES}?state=delivered&channel=email")
    for box in page.get_by_role("checkbox", name=re.compile("Select this object")).all()[:2]:
        box.check()
    page.get_by_role("button", name="Send again…").first.click()
    expect(operator.content).to_contain_text("2 things are meant.")
    at = operator.begin("Send deliveries again", "two were lost", action="job.resend")
    operator.wait_to_see(at, "done")

    operator.go(f"{DELIVERIES}?state=delivered")
    page.get_by_role("link", name="Send again…").click()
    asked = operator.here
    reader.may_only_look(asked, "Send deliveries again")
    at = operator.begin(
        "Send deliveries again",
        "all were lost",
        action="job.resend",
        **{"A second, at most": "0.5"},
    )
    reader.may_only_look(at, "Pause", "Change rate", "Cancel")
    pictures.take_all(operator.page, "job")
    for button, fields in (
        ("Pause", {}),
        ("Resume", {}),
        ("Change rate", {"A second, at most": "0.2"}),
        ("Cancel", {}),
    ):
        operator.go(at)
        verb = {"Change rate": "set_rate"}.get(button, button.lower())
        operator.press(button, f"{button}, for a while", action=f"job.{verb}", **fields)
        operator.is_told(f"Done: {button}.")
    operator.wait_to_see(at, "cancelled")

    admin.go(f"{DELIVERIES}?state=failed")
    with admin.page.expect_download() as loaded:
        admin.press("Export as CSV", action="export.begin")
    assert loaded.value.path().read_text("utf-8-sig").count("MessageRejected") >= 1


def test_a_cause_is_noted_tried_with_five_then_all_and_another_discarded(
    operator: Visitor, demo: RunningDemo, reader: Visitor
) -> None:
    operator.go("console/failures/")
    operator.follow("currency_not_supported")
    cause = operator.here
    names = ("Retry the first 5", "Retry all", "Discard all")
    reader.may_only_look(cause, *names)
    note = "What is known of this cause; empty: no note"
    operator.press("Save the note", action="failure_note.write", **{note: "the account lacks it"})
    operator.go("console/failures/")
    expect(operator.content).to_contain_text("the account lacks it")

    at = operator.open_first(f"{LETTERS}?state=open&queue=payments")
    reader.may_only_look(at, "Redrive", "Discard")
    for button, why, action in (
        ("Discard", "a test", "dead_letter.discard"),
        ("Restore", "it was none", "dead_letter.restore"),
        ("Redrive", "is it mended?", "job.redrive"),
    ):
        if button == "Redrive":
            demo.enable_currency("JPY")
        operator.go(at)
        press = operator.press_by_keys if button == "Discard" else operator.press
        press(button, why, action=action)
        operator.is_told(f"Done: {button}.")
    operator.wait_to_see(at, "redriven")

    for link, reason in (("Retry the first 5", "five first"), ("Retry all", "it is mended")):
        operator.go(cause)
        operator.follow(f"{link}: dead letters")
        operator.page.get_by_label("All at once.").check()
        job = operator.begin(
            "Give dead letters back to their consumer", reason, action="job.redrive"
        )
        operator.wait_to_see(job, "done")
    operator.wait_to_see(cause, "Nothing fails of this cause now.")
    operator.go("console/failures/")
    operator.follow("MessageRejected")
    cause = operator.here
    for what in ("dead letters", "deliveries"):
        operator.go(cause)
        operator.follow(f"Discard all: {what}")
        kind = {"dead letters": "discard_letters"}.get(what, "discard_deliveries")
        job = operator.begin(f"Discard {what}", "nobody wants them", action=f"job.{kind}")
        operator.wait_to_see(job, "done")
    operator.wait_to_see(cause, "Nothing fails of this cause now.")
