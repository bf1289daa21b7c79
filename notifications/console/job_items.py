"""The items of one job: what became of each, and why."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin import keyset
from notifications.admin.display import badge, exact, page_url, short, state_label
from notifications.admin.related import item_link
from notifications.console import pages
from notifications.console.pages import Page, register
from notifications.models import Job, JobItem

SIZE = 100


def job_items(request: HttpRequest, number: int) -> HttpResponse:
    job = Job.objects.filter(pk=number).first() if number < 2**63 else None
    outcome = request.GET.get("outcome", "")
    if job is None or outcome not in ("", *JobItem.Outcome.values):
        raise Http404
    found = job.items.filter(outcome=outcome) if outcome else job.items.all()
    cursor = request.GET.get("p", "")
    try:
        page = keyset.page(found, ordering=("id",), size=SIZE, cursor=cursor)
    except keyset.WrongCursor:
        raise Http404 from None

    def address(cursor: str = "") -> str:
        given = {name: value for name, value in (("outcome", outcome), ("p", cursor)) if value}
        return f"{pages.url('job_items', number)}?{urlencode(given)}"

    return pages.render(
        request,
        "job_items.html",
        title=gettext("Items of job %(number)d") % {"number": number},
        job=job,
        job_url=page_url(job),
        rows=[_row(item) for item in page.rows],
        choices=_choices(job, outcome),
        previous=address(page.previous) if page.previous else "",
        next=address(page.next) if page.next else "",
    )


def _choices(job: Job, outcome: str) -> list[dict[str, Any]]:
    url = pages.url("job_items", job.pk)
    every = {"text": gettext("all"), "count": job.total, "url": url, "chosen": not outcome}
    return [
        every,
        *(
            {
                "text": state_label(each),
                "count": job.counts[each],
                "url": f"{url}?outcome={each}",
                "chosen": each == outcome,
            }
            for each in JobItem.Outcome.values
            if job.counts.get(each)
        ),
    ]


def _row(item: JobItem) -> dict[str, Any]:
    return {
        "about": item_link(item),
        "outcome": badge(item.outcome),
        "stage": item.stage,
        "why": short(item.why),
        "when": exact(item.moved_at),
    }


register(
    Page(
        "job_items",
        "jobs/<int:number>/items/",
        _("Items of a job"),
        "notifications.view_job",
        job_items,
        listed=False,
    )
)
