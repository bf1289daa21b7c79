"""Links: to the rows behind a figure, for whoever may see them."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from notifications import needs
from notifications.admin import related
from notifications.admin.display import link, list_url
from notifications.console import pages
from notifications.models import (
    Announcement,
    Breaker,
    DeadLetter,
    Delivery,
    Dispatch,
    Job,
    Pause,
    ScheduledEvent,
    WorkerProcess,
)
from notifications.needs import Kind, Need


def needs_of(request: HttpRequest) -> list[object]:
    """What needs a person now, each leading to its list."""
    links = Links(request)
    return [links.need(need) for need in needs.now()]


def listed(request: HttpRequest, model: type[Model], text: object, **parameters: str) -> object:
    """The text, leading to the list of those rows where this visitor may see it."""
    if not related.may_view(request, model):
        return text
    return link(list_url(model, **parameters), text)


class Links:
    """Leads where this person may go; elsewhere the text stands alone."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def list(self, model: type[Model], text: object, **parameters: str) -> object:
        return listed(self._request, model, text, **parameters)

    def row(self, model: type[Model], key: object, text: object) -> object:
        if not related.may_view(self._request, model):
            return text
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return link(reverse(name, args=[key]), text)

    def page(self, name: str, text: object, fragment: str = "") -> object:
        """A page of the console, where there is one of that name."""
        found = pages.get(name)
        if found is None or not found.is_open_to(self._request):
            return text
        return link(f"{pages.url(name)}{fragment}", text)

    def subject(self, subject: str) -> object:
        """Its timeline."""
        found = pages.get("timeline_of")
        if found is None or not found.is_open_to(self._request):
            return subject
        return link(pages.url("timeline_of", subject), subject)

    def need(self, need: Need) -> object:
        text = need.text
        match need.kind:
            case Kind.UNPUBLISHED:
                return self.list(Dispatch, text, state=Dispatch.State.WAITING)
            case Kind.SCHEDULED:
                return self.list(ScheduledEvent, text, state=ScheduledEvent.State.REFUSED)
            case Kind.DEAD_LETTERS:
                return self.list(DeadLetter, text, state=DeadLetter.State.OPEN)
            case Kind.UNKNOWN:
                return self.list(Delivery, text, state=Delivery.State.UNKNOWN)
            case Kind.BREAKERS:
                return self.list(Breaker, text, state=Breaker.State.OPEN)
            case Kind.PAUSES:
                return self.list(Pause, text, state="in_force")
            case Kind.UNSERVED:
                return self.list(WorkerProcess, text)
            case Kind.JOBS:
                return self.list(Job, text, state=Job.State.STOPPED)
            case Kind.ANNOUNCEMENTS:
                return self.list(Announcement, text, state=Announcement.State.PAUSED)
            case Kind.OBJECTIVES:
                return self.page("overview", text, "#objectives")
            case Kind.RELAYS:
                return text
