"""Probing: the page on which an account that is left alone is tried at once."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from notifications import breakers
from notifications.admin.display import EMPTY, ago, due
from notifications.admin.moves import reason_given
from notifications.console import asking, pages
from notifications.console.asking import Ask, Form
from notifications.console.buttons import anchor
from notifications.models import Breaker


@require_http_methods(["GET", "HEAD", "POST"])
def probe(request: HttpRequest) -> HttpResponse:
    """`?account=email`."""
    given = request.POST if request.method == "POST" else request.GET
    account = given.get("account", "")
    known = "\0" not in account
    breaker = Breaker.objects.filter(account=account).first() if known else None
    if breaker is None:
        raise Http404(_("No account of that name ever failed."))
    ask = _ask(breaker)
    if request.method != "POST":
        return asking.show(request, ask)
    reason = reason_given(request)
    if not reason:
        return asking.show(request, ask, wrong=asking.no_reason())
    what = {"account": account}
    if breakers.probe_now(account, by=request.user.get_username(), reason=reason):
        messages.success(request, _("Account %(account)s is tried with its next message.") % what)
    else:
        messages.warning(request, _("Account %(account)s does not wait to be tried.") % what)
    return HttpResponseRedirect(ask.back)


def _ask(breaker: Breaker) -> Ask:
    return Ask(
        title=_("Try account %(account)s now") % {"account": breaker.account},
        forms=[Form("probe", _("Try now"))],
        back=f"{pages.url('providers')}#{anchor('account', breaker.account)}",
        says=[
            _(
                "The next message is sent through it, alone, whatever is left of the wait. When it "
                "goes through, the account is in use again; otherwise the wait begins anew."
            )
        ],
        facts=[
            (_("Failures in a row"), breaker.failures),
            (_("Left alone"), ago(breaker.opened_at)),
            (_("Last error"), breaker.last_error or EMPTY),
            (_("Next try"), due(breaker.probe_at)),
        ],
        hidden={"account": breaker.account},
        twin=f"manage.py queues probe {breaker.account}",
    )
