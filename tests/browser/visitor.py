"""Somebody at the admin of a running demo: what they press, and what is on record of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.browser.running_demo import RunningDemo
from tests.waiting import wait_for

DELIVERIES, LETTERS = "notifications/delivery/", "notifications/deadletter/"
WITHIN = 40
"""Seconds for the demo's relay and workers to do what was begun on a page."""

_TOKEN = re.compile(r'(csrfmiddlewaretoken(?:=|"\r\n\r\n))\w+')
_REFUSED = """(content) => [...content.querySelectorAll("button:disabled")].map((button) => {
    const about = (button.getAttribute("aria-describedby") || "").split(" ")
        .map((id) => document.getElementById(id)?.textContent).join(" ");
    const beside = button.nextElementSibling?.textContent || "";
    return [button.textContent.trim(), `${button.title} ${about} ${beside}`];
})"""


@dataclass(frozen=True)
class Sent:
    """One POST, as the browser made it."""

    url: str
    kind: str
    body: str

    @property
    def only_asks(self) -> bool:
        """It changes nothing: a selection on its way to its confirmation, or to be counted."""
        return "step=ask" in self.body or "_selected_action" in self.body


class Visitor:
    """One user in a browser of their own. sent: what they pressed. acted: what the audit should
    have of it, as the action and the reason."""

    def __init__(self, chromium: Browser, demo: RunningDemo, user: str) -> None:
        self.demo, self.user = demo, user
        self.sent: list[Sent] = []
        self.acted: list[tuple[str, str]] = []
        context = chromium.new_context(locale="en-GB", accept_downloads=True)
        context.set_default_timeout(20_000)
        self.page = context.new_page()
        self.page.goto(demo.admin)
        self.page.get_by_label("Username").fill(user)
        self.page.get_by_label("Password").fill(demo.password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(demo.admin)
        self.page.on("request", self._note)

    @property
    def content(self) -> Locator:
        return self.page.locator("#content")

    @property
    def here(self) -> str:
        """Below the admin's address."""
        return self.page.url.removeprefix(self.demo.admin).partition("#")[0]

    def count(self, path: str) -> int:
        """The rows of a list, on its first page."""
        self.go(path)
        return self.page.locator("#result_list tbody tr").count()

    def go(self, path: str) -> Page:
        """path: below the admin's address."""
        answer = self.page.goto(self.demo.admin + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def open_first(self, path: str) -> str:
        """The first row of a list; gives where it is."""
        self.go(path)
        self.page.locator("#result_list tbody tr a").first.click()
        self.page.wait_for_url("**/change/**")
        return self.here.partition("?")[0]

    def follow(self, link: str) -> None:
        self.content.get_by_role("link", name=link, exact=True).first.click()

    def press(self, button: str, reason: str = "", *, action: str = "", **fields: str) -> None:
        """A button, in its own form. fields: what is typed besides, by label."""
        folded = self.content.locator("summary", has_text=button)
        if folded.count():
            folded.first.click()
        named = self.page.get_by_role("button", name=button, exact=True)
        form = self.content.locator("form", has=named).first
        for label, text in fields.items():
            form.get_by_label(label, exact=True).fill(text)
        if reason:
            form.get_by_label(re.compile("^(Reason|Why):?$")).fill(reason)
        if action:
            self.acted.append((action, reason))
        form.get_by_role("button", name=button, exact=True).click()

    def is_told(self, text: str) -> None:
        expect(self.page.locator(".messagelist")).to_contain_text(text)

    def begin(self, button: str, reason: str, *, action: str, **fields: str) -> str:
        """On the confirmation of bulk work; gives where its job is."""
        self.press(button, reason, action=action, **fields)
        self.is_told("is begun; the relays run it.")
        return self.here.partition("?")[0]

    def wait_to_see(self, path: str, text: str, *, not_any_more: bool = False) -> None:
        """Until the page says so (or no longer does), read anew each time."""

        def seen() -> bool:
            self.go(path)
            return (text in self.content.inner_text()) is not not_any_more

        wait_for(seen, within=WITHIN, what=f"{text!r} on {path}")

    def press_by_keys(self, button: str, reason: str, *, action: str) -> None:
        """The same by the keyboard alone, past the navigation."""
        self.acted.append((action, reason))
        keys = self.page.keyboard
        self._tab_to(self.page.get_by_role("link", name="Skip to main content"))
        keys.press("Enter")
        folded = self.content.locator("summary", has_text=button)
        if folded.count():
            self._tab_to(folded.first)
            keys.press("Enter")
        named = self.page.get_by_role("button", name=button, exact=True)
        form = self.content.locator("form", has=named).first
        self._tab_to(form.get_by_label("Reason"))
        keys.type(reason)
        self._tab_to(form.get_by_role("button", name=button, exact=True))
        keys.press("Enter")

    def _tab_to(self, target: Locator) -> None:
        for _ in range(100):
            if target.evaluate("(element) => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} is not reached by the tabulator")

    def may_not_press(self, path: str, *buttons: str) -> None:
        """They stand there, disabled, and say which permission is missing."""
        self.go(path)
        refused: Sequence[tuple[str, str]] = self.content.evaluate(_REFUSED)
        for button in buttons:
            said = [why for label, why in refused if label.startswith(button)]
            assert said, f"{button} is not refused on {path}: {refused}"
            assert all("You lack the permission" in why for why in said), (button, said)

    def may_only_look(self, path: str, *buttons: str) -> None:
        """These are refused, and no other button there changes anything."""
        self.may_not_press(path, *buttons)
        for form in self.content.locator("form[method=post]:not(#changelist-search)").all():
            label = form.inner_text()
            enabled = form.locator("button:enabled, input[type=submit]:enabled").count()
            assert not enabled or "Count again" in label or "to page" in label, label

    def forge(self, sent: Sent) -> int:
        """The same POST by this user's session and token; its status. Not refused for the token."""
        cookies = {each["name"]: each["value"] for each in self.page.context.cookies()}
        answer = self.page.request.post(
            sent.url,
            data=_TOKEN.sub(rf"\g<1>{cookies['csrftoken']}", sent.body),
            headers={"Content-Type": sent.kind, "Referer": sent.url},
            max_redirects=0,
        )
        assert "CSRF" not in answer.text()
        return answer.status

    def close(self) -> None:
        self.page.context.close()

    def _note(self, request: Request) -> None:
        if request.method == "POST" and request.url.startswith(self.demo.admin):
            kind = request.headers["content-type"]
            self.sent.append(Sent(request.url, kind, request.post_data or ""))
