"""Limits: the page on which the rate of one provider account is changed, or taken back."""

from __future__ import annotations

import math

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from notifications import rate_limits
from notifications.admin.display import EMPTY, ago
from notifications.admin.moves import reason_given
from notifications.console import asking, pages
from notifications.console.asking import Ask, Field, Form
from notifications.console.buttons import anchor
from notifications.rate_limits import Standing, in_words


@require_http_methods(["GET", "HEAD", "POST"])
def limits(request: HttpRequest) -> HttpResponse:
    """`?account=email`."""
    given = request.POST if request.method == "POST" else request.GET
    try:
        now = rate_limits.standing(given.get("account", ""))
    except ImproperlyConfigured as error:
        raise Http404(str(error)) from None
    ask = _ask(now)
    if request.method != "POST":
        return asking.show(request, ask)
    reason = reason_given(request)
    if wrong := _change(request, now, reason) if reason else asking.no_reason():
        return asking.show(request, ask, wrong=wrong)
    return HttpResponseRedirect(ask.back)


def _change(request: HttpRequest, now: Standing, reason: str) -> str:
    """Why it was not changed; empty when it was."""
    by = request.user.get_username()
    match request.POST.get("verb"):
        case "set":
            try:
                per_second = rate_limits.wished(request.POST.get("rate", "").strip())
                burst = request.POST.get("burst", "").strip()
                at_once = rate_limits.wished_burst(burst) if burst else None
            except ImproperlyConfigured as error:
                return str(error)
            rate_limits.set_limit(now.account, per_second, by=by, reason=reason, burst=at_once)
        case "reset":
            rate_limits.take_back(now.account, by=by, reason=reason)
        case _:
            return _("Say whether to set it or to take it back.")
    after = rate_limits.standing(now.account)
    said = {"account": now.account, "rate": in_words(after.effective)}
    messages.success(
        request, _("The limit of %(account)s is %(rate)s now. Workers obey within seconds.") % said
    )
    return ""


def _ask(now: Standing) -> Ask:
    change = Form(
        "set",
        _("Change rate"),
        fields=[
            Field(
                "rate", _("Rate"), in_words(now.effective), _("“14/s”, “100/m”, “10/h” or “none”")
            ),
            Field(
                "burst",
                _("At once after a rest"),
                str(now.burst) if now.burst > 1 else "",
                _("units; empty is 1"),
                needed=False,
            ),
        ],
    )
    back = Form(
        "reset",
        _("Take back"),
        says=_("Then %(rate)s holds again, as its task declares.")
        % {"rate": in_words(now.declared)},
    )
    return Ask(
        title=_("Change the rate of %(account)s") % {"account": now.account},
        forms=[change] if now.override is None else [change, back],
        back=f"{pages.url('providers')}#{anchor('account', now.account)}",
        says=[
            _(
                "Units over all workers together: a text message of three parts is three. A limit "
                "above what the provider takes costs its refusals; messages lose no attempt."
            )
        ],
        facts=[
            (_("Now"), in_words(now.effective)),
            (_("Declared by its task"), in_words(now.declared)),
            *_set_by(now),
        ],
        hidden={"account": now.account},
        twin=f'manage.py rate_limits set {now.account} 14/s --reason "…"',
    )


def _set_by(now: Standing) -> list[tuple[str, object]]:
    if now.override is None:
        return []
    return [
        (_("Set by an operator"), in_words(None if now.override == math.inf else now.override)),
        (_("By"), now.changed_by or EMPTY),
        (_("Changed"), ago(now.changed_at)),
        (_("Reason"), now.reason or EMPTY),
    ]
