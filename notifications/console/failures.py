"""Failure groups: what fails now, by what it has in common, and what can be done about it all."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import causes, failures
from notifications.admin import display, reasons, related
from notifications.admin.permitted import refusal
from notifications.console.buttons import Button
from notifications.console.failure_buttons import of_deliveries, of_group, of_letters
from notifications.console.pages import Page, register, render, url
from notifications.failure_counts import Selection
from notifications.failures import By, Group
from notifications.fingerprints import NONE, is_fingerprint
from notifications.models import DeadLetter, Delivery, FailureNote
from notifications.newest import Wanted

SHOWN = 50
"""Groups of one page."""

TITLES: dict[By, Promise] = {
    By.CAUSE: _("cause"),
    By.CHANNEL: _("channel or consumer"),
    By.PROVIDER: _("provider"),
    By.EVENT_TYPE: _("event type"),
}
_UNKNOWN = _(
    "The provider's answers never came. Look each up there by the tag that its own page names, and "
    "say on that page what you found, or of all at once with manage.py deliveries settle "
    "--fingerprint."
)
_NARROWED_BY = ("channel", "provider", "event_type")


@dataclass(frozen=True)
class Card:
    """One group as the list shows it."""

    group: Group
    title: str
    url: str
    error: str
    channels: str
    providers: str
    event_types: str
    first: SafeString | str
    last: SafeString | str
    trend: str
    rising: bool
    buttons: list[Button]


def listing(request: HttpRequest) -> HttpResponse:
    by = By(given) if (given := request.GET.get("by", "")) in set(By) else By.CAUSE
    narrowed = {name: _text(request, name) for name in _NARROWED_BY}
    found = failures.groups(Selection(**narrowed), by=by)
    return render(
        request,
        "failures.html",
        title=_("Failure groups"),
        cards=[_card(request, group, by) for group in found.groups[:SHOWN]],
        total=found.total,
        groups=len(found.groups),
        shown=SHOWN,
        cut=found.cut,
        by=by,
        choices=list(TITLES.items()),
        narrowed={name: value for name, value in narrowed.items() if value is not None},
    )


def one(request: HttpRequest, fingerprint: str) -> HttpResponse:
    if fingerprint != NONE and not is_fingerprint(fingerprint):
        raise Http404
    key = "" if fingerprint == NONE else fingerprint
    if request.method == "POST":
        return _write_note(request, key)
    group = failures.group(key)
    return render(
        request,
        "failure_group.html",
        title=gettext("Failures: %(what)s") % {"what": _title(group, By.CAUSE)},
        card=_card(request, group, By.CAUSE),
        why=_why(group),
        error=display.block(failures.error(group)),
        parts=list(_parts(request, group)),
        sections=list(_samples(request, group)),
        note_why_not=_note_why_not(request),
        longest_note=failures.LONGEST_NOTE,
    )


def group_url(fingerprint: str) -> str:
    """The page of one cause."""
    return url("failure_group", fingerprint or NONE)


def _text(request: HttpRequest, name: str) -> str | None:
    return request.GET.get(name, "").replace("\0", "").strip() or None


def _write_note(request: HttpRequest, key: str) -> HttpResponse:
    if _note_why_not(request):
        raise PermissionDenied
    text = request.POST.get("note", "").replace("\0", "").strip()
    if len(text) > failures.LONGEST_NOTE:
        most = {"most": failures.LONGEST_NOTE}
        messages.error(request, gettext("Give a note of %(most)d characters at most.") % most)
    else:
        failures.write_note(key, text, by=request.user.get_username())
        messages.success(request, gettext("Noted.") if text else gettext("The note is cleared."))
    return HttpResponseRedirect(group_url(key))


def _note_why_not(request: HttpRequest) -> str:
    return refusal(request, FailureNote._meta, "change_failurenote")


def _card(request: HttpRequest, group: Group, by: By) -> Card:
    title = _title(group, by)
    return Card(
        group,
        title,
        url=_group_url(group, by),
        error=display.short(failures.error(group)) if group.example else "",
        channels=", ".join(sorted(group.channels)),
        providers=", ".join(sorted(group.providers)),
        event_types=", ".join(sorted(group.event_types)),
        first=display.ago(group.first_seen_at),
        last=display.ago(group.last_seen_at),
        trend=_trend(group),
        rising=group.last_hour > group.hour_before,
        buttons=list(of_group(request, group, title)) if group.key else [],
    )


def _title(group: Group, by: By) -> str:
    if by is not By.CAUSE:
        return group.key or gettext("(none)")
    if group.example is None:
        return gettext("nothing fails of this cause now")
    return failures.reason(group) or gettext("without a code")


def _group_url(group: Group, by: By) -> str:
    if by is By.CAUSE:
        return group_url(group.key)
    return f"{url('failures')}?{urlencode({by.value: group.key})}" if group.key else ""


def _trend(group: Group) -> str:
    """In words, with an arrow before them."""
    words = {"now": group.last_hour, "before": group.hour_before}
    if group.last_hour > group.hour_before:
        return gettext("▲ %(now)d in the last hour, %(before)d in the one before") % words
    if group.last_hour < group.hour_before:
        return gettext("▼ %(now)d in the last hour, %(before)d in the one before") % words
    if group.last_hour:
        return gettext("▶ %(now)d in the last hour, as many in the one before") % words
    return gettext("none in the last two hours")


def _why(group: Group) -> str:
    match group.example:
        case DeadLetter() as letter:
            return causes.sentence(letter)
        case Delivery(state=Delivery.State.UNKNOWN):
            return str(_UNKNOWN)  # what is said of one names its own tag
        case Delivery() as delivery:
            return reasons.sentence(delivery)
    return ""


def _parts(request: HttpRequest, group: Group) -> Iterator[dict[str, Any]]:
    """Each kind of row there is, with what can be done about it and how it is done by command."""
    selection, key = group.selection, group.key
    typed = shlex.quote(key)  # of failures that say nothing of their cause: ''
    if group.letters:
        mend = "redrive" if failures.can_be_redriven(group) else "dead_letters discard"
        yield {
            "title": _("Open dead letters"),
            "count": group.letters,
            "help": _(
                "A redrive gives them back to their consumer, and sends the deliveries of theirs "
                "that failed once more. Discarded they are set aside alone: a delivery that failed "
                "counts until it is discarded, too."
            ),
            "url": display.list_url(DeadLetter, q=key, state="open") if key else "",
            "buttons": list(of_letters(request, group, gettext("dead letters"))),
            "command": f'manage.py {mend} --fingerprint {typed} --reason "…"',
        }
    if group.failed:
        state = str(Delivery.State.FAILED)
        yield {
            "title": _("Failed deliveries"),
            "count": group.failed,
            "help": _("Those with an open dead letter are better redriven with it."),
            "url": _list_url(group, state=state),
            "buttons": list(of_deliveries(request, selection, state, gettext("deliveries"))),
            "command": f'manage.py resend --state failed --fingerprint {typed} --reason "…"',
        }
    if group.unknown:
        state = str(Delivery.State.UNKNOWN)
        yield {
            "title": _("Unknown deliveries"),
            "count": group.unknown,
            "help": _(
                "They may have arrived: whoever sends them again may tell somebody twice. Look "
                "them up at the provider, and settle them."
            ),
            "url": _list_url(group, state=state),
            "buttons": list(of_deliveries(request, selection, state, gettext("unknown"))),
            "command": f'manage.py resend --state unknown --fingerprint {typed} --reason "…"',
        }


def _list_url(group: Group, **narrowed: str) -> str:
    return display.list_url(Delivery, **narrowed, cause=group.key or NONE)


def _samples(request: HttpRequest, group: Group) -> Iterator[related.Section]:
    """The rows themselves, a page's length of each. Of deliveries the newest, as their list reads
    them: in the order of any other index there may be millions before them."""
    letters = DeadLetter.objects.open().filter(fingerprint=group.key)
    more = display.list_url(DeadLetter, q=group.key, state="open") if group.key else ""
    yield from related.dead_letters(request, letters, more=more)
    newest = Wanted(causes=[group.key]).read(
        Delivery.objects.all(), ("-created_at", "-id"), None, related.LIMIT + 1
    )
    yield from related.deliveries(request, newest, more=_list_url(group))


register(
    Page("failures", "failures/", _("Failure groups"), "notifications.view_deadletter", listing)
)
register(
    Page(
        "failure_group",
        "failures/<str:fingerprint>/",
        _("Failures of one cause"),
        "notifications.view_deadletter",
        one,
        listed=False,
    )
)
