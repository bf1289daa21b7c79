"""The page of the announcements: how far each is, live, and the way to hold, pace and end it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from notifications import announcement_progress, announcements, rate_limits
from notifications.admin.display import ago, badge, link, page_url
from notifications.admin.moves import reason_given
from notifications.announcement_progress import Standing, in_words, lane_in_words
from notifications.announcements import Refused
from notifications.console import asking, control, pages
from notifications.console.asking import Ask, Field, Form
from notifications.console.buttons import Button, anchor, button, to
from notifications.models import Announcement

SHOWN = 25
"""The latest; the admin's list has them all."""


@dataclass(frozen=True)
class _Verb:
    """permission: its codename. legal: the states from which. says: what would happen."""

    label: Promise
    permission: str
    legal: frozenset[Announcement.State]
    says: Promise
    ends: bool = False


PAUSED = frozenset({Announcement.State.PAUSED})

VERBS: Mapping[str, _Verb] = {
    "pause": _Verb(
        gettext_lazy("Pause"),
        "pause_announcement",
        Announcement.RUNNING,
        gettext_lazy(
            "Nobody more is taken, and what lies on the queues goes back to the outbox as it comes "
            "to a worker, within seconds."
        ),
    ),
    "resume": _Verb(
        gettext_lazy("Resume"),
        "pause_announcement",
        PAUSED,
        gettext_lazy("It goes on, first with what was put back."),
    ),
    "rate": _Verb(
        gettext_lazy("Change rate"),
        "pause_announcement",
        Announcement.OPEN,
        gettext_lazy(
            "So many people a second over each channel, at most; no account is sent more than its "
            "own limit. What lies on the queues already goes at its old pace."
        ),
    ),
    "cancel": _Verb(
        gettext_lazy("Cancel"),
        "cancel_announcement",
        Announcement.OPEN,
        gettext_lazy("It ends for good. Who has not been told yet is not told."),
        ends=True,
    ),
}

_MOVES: Mapping[str, Callable[..., Announcement]] = {
    "pause": announcements.pause,
    "resume": announcements.resume,
    "cancel": announcements.cancel,
}


@dataclass(frozen=True)
class Line:
    """One announcement. done: of its slowest channel, in people."""

    key: str
    number: object
    event_type: str
    audience: str
    state: object
    begun: object
    why: str
    done: int
    total: int
    so_far: str
    rate: str
    lanes: tuple[tuple[str, str], ...]
    buttons: tuple[Button, ...]


@require_safe
def announcing(request: HttpRequest) -> HttpResponse:
    found = Announcement.objects.order_by("-id")[:SHOWN]
    lines = [_line(request, announcement_progress.standing(each)) for each in found]
    return control.render(request, "announcements", title=_("Announcements"), lines=lines)


def _line(request: HttpRequest, now: Standing) -> Line:
    it = now.announcement
    return Line(
        key=anchor("announcement", str(it.pk)),
        number=link(page_url(it), it.pk),
        event_type=it.event_type,
        audience=it.audience,
        state=badge(it.state),
        begun=ago(it.created_at),
        why=it.reason,
        done=min((lane.settled for lane in now.lanes), default=0),
        total=now.total,
        so_far=in_words(now),
        rate=rate_limits.in_words(it.rate),
        lanes=tuple((lane.channel, lane_in_words(lane)) for lane in now.lanes),
        buttons=tuple(_buttons(request, it)),
    )


def _buttons(request: HttpRequest, it: Announcement) -> Iterator[Button]:
    for name, verb in VERBS.items():
        if it.state in verb.legal:
            url = to("announcement", number=str(it.pk), verb=name)
            yield button(request, verb.permission, verb.label, str(it), url)


@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest) -> HttpResponse:
    """`?number=3&verb=pause`."""
    given = request.POST if request.method == "POST" else request.GET
    name = given.get("verb", "")
    verb = VERBS.get(name)
    it = _find(given.get("number", ""))
    if verb is None:
        raise Http404(_("Nothing of that name can be done."))
    if not request.user.has_perm(f"notifications.{verb.permission}"):
        raise PermissionDenied
    ask = _ask(it, name, verb)
    if request.method != "POST":
        return asking.show(request, ask)
    reason = reason_given(request)
    if wrong := _do(request, it, name, reason) if reason else asking.no_reason():
        return asking.show(request, ask, wrong=wrong)
    said = {"what": verb.label, "number": it.pk}
    messages.success(request, _("Done: %(what)s, announcement %(number)d.") % said)
    return HttpResponseRedirect(ask.back)


def _find(number: str) -> Announcement:
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Http404(_("There is no such announcement."))
    try:
        return announcements.find(int(number))
    except Refused as error:
        raise Http404(error.message) from None


def _do(request: HttpRequest, it: Announcement, name: str, reason: str) -> str:
    """Why it was not done; empty when it was."""
    by = request.user.get_username()
    try:
        if name == "rate":
            rate = rate_limits.wished(request.POST.get("rate", "").strip())
            wanted = None if rate == math.inf else rate
            announcements.change_rate(it.pk, wanted, by=by, reason=reason)
        else:
            _MOVES[name](it.pk, by=by, reason=reason)
    except Refused as error:
        return error.message
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def _ask(it: Announcement, name: str, verb: _Verb) -> Ask:
    now = announcement_progress.standing(it)
    rate = rate_limits.in_words(it.rate)
    fields = (
        [Field("rate", _("Rate"), rate, _("“50/s”, “3000/m” or “none”"))] if name == "rate" else []
    )
    words = f"{name} {it.pk}" + (" 50/s" if name == "rate" else "")
    return Ask(
        title=_("%(verb)s: announcement %(number)d") % {"verb": verb.label, "number": it.pk},
        forms=[Form(name, verb.label, fields=fields, ends=verb.ends)],
        back=f"{pages.url('announcements')}#{anchor('announcement', str(it.pk))}",
        says=[verb.says],
        facts=[
            (_("What"), it.event_type),
            (_("To"), it.audience),
            (_("State"), badge(it.state)),
            (_("So far"), in_words(now)),
            (_("Rate"), rate),
        ],
        hidden={"number": str(it.pk)},
        twin=f'manage.py announcements {words} --reason "…"',
    )
