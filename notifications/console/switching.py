"""Switching: the page on which a pause is begun or ended, whatever is paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from notifications import consumers, pauses, providers
from notifications.admin.display import EMPTY, ago
from notifications.admin.moves import reason_given
from notifications.console import asking, pages
from notifications.console.asking import Ask, Form
from notifications.console.buttons import Button, anchor, button, to
from notifications.models import Pause

PAUSE, RESUME = "pause", "resume"
PERMISSION = "pause_sending"

Kind = Pause.Kind


@dataclass(frozen=True)
class _Words:
    """Of one kind. page: which shows it; option: of `manage.py queues`."""

    name: Promise
    pausing: Promise
    page: str
    option: str


WORDS: Mapping[str, _Words] = {
    Kind.QUEUE: _Words(
        gettext_lazy("queue"),
        gettext_lazy(
            "Workers stop receiving from this queue. What lies in it stays there, no older and no "
            "attempt poorer."
        ),
        "queues",
        "",
    ),
    Kind.CHANNEL: _Words(
        gettext_lazy("channel"),
        gettext_lazy(
            "Workers stop receiving from every queue of this channel. What lies in them stays "
            "there, no older and no attempt poorer. Of a fallback, the next channel comes in its "
            "time."
        ),
        "queues",
        "--channel ",
    ),
    Kind.PROVIDER: _Words(
        gettext_lazy("provider"),
        gettext_lazy(
            "Nothing is sent through this account. What nobody knows whether it took waits for it."
        ),
        "providers",
        "--provider ",
    ),
    Kind.EVENT_TYPE: _Words(
        gettext_lazy("event type"),
        gettext_lazy(
            "Its messages are put off, on every queue, those of services too: what comes to a "
            "worker goes back to the outbox until it is resumed. Other event types go on."
        ),
        "event_types",
        "--event-type ",
    ),
    Kind.TEMPLATE: _Words(
        gettext_lazy("template"),
        gettext_lazy(
            "What would be told of this event type over this channel is put off: it goes back to "
            "the outbox until it is resumed. Its other channels go on."
        ),
        "event_types",
        "--template ",
    ),
}


def switch_button(request: HttpRequest, kind: Pause.Kind, name: str, *, paused: bool) -> Button:
    """Leads to where it is paused, or resumed."""
    what = WORDS[kind].name
    text = _("Resume %(what)s") if paused else _("Pause %(what)s")
    return button(
        request, PERMISSION, text % {"what": what}, name, to("switch", kind=kind, name=name)
    )


@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """`?kind=queue&name=email`: to pause it, or to resume it where it is paused."""
    given = request.POST if request.method == "POST" else request.GET
    kind, name = _wanted(given.get("kind", ""), given.get("name", ""))
    held = Pause.objects.in_force().filter(kind=kind, name=name).first()
    _insist_on_name(kind, name, held)
    ask = _ask(kind, name, held)
    if request.method != "POST":
        return asking.show(request, ask)
    reason = reason_given(request)
    if not reason:
        return asking.show(request, ask, wrong=asking.no_reason())
    try:
        _throw(request, kind, name, reason)
    except ImproperlyConfigured as error:  # a name that is gone, of which only a pause is left
        messages.error(request, str(error))
    return HttpResponseRedirect(ask.back)


def _wanted(kind: str, name: str) -> tuple[Pause.Kind, str]:
    if kind not in Kind.values or "\0" in name:
        raise Http404(_("Nothing of that kind can be paused."))
    return Kind(kind), name


def _insist_on_name(kind: Pause.Kind, name: str, held: Pause | None) -> None:
    if held is None:
        try:
            pauses.check(kind, name)
        except ImproperlyConfigured as error:
            raise Http404(str(error)) from None


def _throw(request: HttpRequest, kind: Pause.Kind, name: str, reason: str) -> None:
    """Pause or resume it, as the form said; somebody else may have been quicker."""
    what = {"what": f"{WORDS[kind].name} {name}"}
    by = request.user.get_username()
    match request.POST.get("verb"):
        case "pause":
            if pauses.pause(kind, name, by=by, reason=reason):
                text = _("Paused: %(what)s. Workers obey within seconds.")
                messages.success(request, text % what)
            else:
                messages.warning(request, _("It was paused already: %(what)s.") % what)
        case "resume":
            resumed, due = pauses.resume(kind, name, by=by, reason=reason)
            if resumed:
                messages.success(request, _("Resumed: %(what)s.") % what + _due(due))
            else:
                messages.warning(request, _("It was not paused any more: %(what)s.") % what)
        case _:
            messages.error(request, _("Nothing was done: say whether to pause or to resume."))


def _due(count: int) -> str:
    if not count:
        return ""
    text = ngettext(
        "%(count)d message that was put off is due now.",
        "%(count)d messages that were put off are due now.",
        count,
    )
    return " " + text % {"count": count}


def _ask(kind: Pause.Kind, name: str, held: Pause | None) -> Ask:
    words = WORDS[kind]
    what = {"what": words.name, "name": name}
    verb = PAUSE if held is None else RESUME
    title = _("Pause %(what)s %(name)s") if held is None else _("Resume %(what)s %(name)s")
    return Ask(
        title=title % what,
        forms=[Form(verb, _("Pause") if held is None else _("Resume"))],
        back=f"{pages.url(words.page)}#{anchor(kind, name)}",
        says=[words.pausing, *_others(kind, name)] if held is None else [],
        facts=_facts(kind, name, held),
        hidden={"kind": str(kind), "name": name},
        twin=f'manage.py queues {verb} {words.option}{name} --reason "…"',
    )


def _others(kind: Pause.Kind, name: str) -> list[str]:
    """Of a provider: who takes its messages."""
    if kind is not Kind.PROVIDER:
        return []
    for consumer in consumers.all_consumers():
        accounts = providers.accounts_of(consumer)
        if name in accounts:
            others = ", ".join(each for each in accounts if each != name)
            if others:
                return [_("Its messages go by %(others)s.") % {"others": others}]
    return [_("It is the only one: its queues are left alone, and what lies in them stays there.")]


def _facts(kind: Pause.Kind, name: str, held: Pause | None) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = []
    if held is not None:
        facts += [
            (_("Paused by"), held.paused_by or EMPTY),
            (_("Paused"), ago(held.paused_at)),
            (_("Reason"), held.reason or EMPTY),
        ]
    if kind in Pause.PUTTING_OFF:
        facts.append((_("Messages put off"), pauses.waiting_for(kind, name)))
    return facts
