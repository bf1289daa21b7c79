"""Every page an operator can open, and how a browser gets there from its address alone."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

ROW = "#result_list tbody tr a"
"""The first link of a list: its first row's page."""


@dataclass(frozen=True)
class Screen:
    """name: of its picture. path: below the admin's address. then: what is clicked from there on,
    as CSS selectors. shows: what stands on it when it is complete, likewise. alike: a list of the
    same make as others; it is walked to for its picture. fits: a list of which no column is cut
    off on a screen of common width."""

    name: str
    path: str
    then: tuple[str, ...] = ()
    shows: str = "#content h1"
    alike: bool = False
    fits: bool = False

    def open(self, page: Page, admin: str) -> None:
        page.goto(admin + self.path)
        for selector in self.then:
            page.locator(selector).first.click()
        page.locator(self.shows).first.wait_for()


SCREENS = (
    Screen("index", ""),
    Screen("overview", "console/overview/"),
    Screen("queues", "console/queues/"),
    Screen("event-types", "console/event-types/"),
    Screen("providers", "console/providers/"),
    Screen("announcements", "console/announcements/"),
    Screen("late", "console/late/order.created/", alike=True),
    Screen("failures", "console/failures/"),
    Screen("failure-group", "console/failures/", ("#content h2 a",)),
    Screen("timeline", "console/timeline/order/5/"),
    Screen("bulk", "console/bulk/?kind=redrive&queue=payments"),
    Screen("deliveries", "notifications/delivery/", shows="#result_list", fits=True),
    Screen("delivery", "notifications/delivery/?state=failed", (ROW,)),
    Screen("events", "notifications/event/", shows="#result_list", alike=True),
    Screen("event", "notifications/event/", (ROW,)),
    Screen(
        "dispatches", "notifications/dispatch/?state=published", shows="#result_list", alike=True
    ),
    Screen("scheduled-events", "notifications/scheduledevent/", alike=True),
    Screen("dead-letters", "notifications/deadletter/", shows="#result_list", fits=True),
    Screen("dead-letter", "notifications/deadletter/", (ROW,)),
    Screen("inbox-of-services", "notifications/handled/", shows="#result_list", alike=True),
    Screen("receipts", "notifications/receipt/", shows="#result_list", alike=True),
    Screen("workers", "notifications/workerprocess/", shows="#result_list", alike=True),
    Screen("jobs", "notifications/job/"),
    Screen("audit", "notifications/auditentry/", shows="#result_list"),
    Screen("audit-entry", "notifications/auditentry/", (ROW,)),
    Screen("pauses", "notifications/pause/", alike=True),
    Screen("breakers", "notifications/breaker/", alike=True),
    Screen("rate-limits", "notifications/ratelimit/", alike=True),
    Screen("suppressions", "notifications/suppression/", alike=True),
    Screen("preferences", "notifications/preference/"),
    Screen("webhook-endpoints", "notifications/webhookendpoint/"),
    Screen("templates", "notifications/template/"),
    Screen("template", "notifications/template/", ("#content table a",)),
    Screen("failed-tasks", "django_celery_results/taskresult/"),
    Screen("orders", "orders/order/", shows="#result_list", alike=True),
    Screen("order", "orders/order/", (ROW,)),
    Screen("payments", "payments/payment/", shows="#result_list", alike=True),
    Screen("customers", "customers/customer/", shows="#result_list"),
)
