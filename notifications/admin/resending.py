"""The pages from which one delivery is sent again: with the words it had, with those of today, or
with facts that are put right first. What is different is shown before anything is pressed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from notifications import edited_resend, resend, told_words
from notifications.admin import reveal, sandboxed, words
from notifications.admin.display import page_url
from notifications.admin.edit_form import EditForm
from notifications.admin.moves import MovingAdmin, no_reason, reason_given
from notifications.admin.permitted import refusal
from notifications.admin.reveal import RevealingAdmin
from notifications.edits import CONFIRM, Wrong
from notifications.models import Delivery, Job

RESEND, OVERRIDE, EDIT = "resend_delivery", "override_refusals", "edit_and_resend_delivery"


class ResendingAdmin(RevealingAdmin[Delivery], MovingAdmin[Delivery]):
    """Deliveries that can be sent again."""

    class Media:
        css = {"all": ["notifications/templates.css"]}

    def get_urls(self) -> list[URLPattern]:
        form = require_http_methods(["GET", "HEAD", "POST"])
        pages = (
            ("again", "<path:object_id>/again/", form(self.again_view)),
            ("edit", "<path:object_id>/edit/", form(self.edit_view)),
            ("html", "<path:object_id>/html/<str:whose>/", require_safe(self.html_view)),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=f"notifications_delivery_{name}")
            for name, route, view in pages
        ]
        return own + super().get_urls()

    def holds_personal_data(self, row: Delivery) -> bool:
        return super().holds_personal_data(row) or words.is_kept(row)

    def pages_of(self, request: HttpRequest, row: Delivery) -> list[dict[str, str]]:
        """The links to these pages, or why they are of no use now."""
        return [
            {
                "label": _("Send again …"),
                "url": words.url_of("again", row),
                "why_not": self._lacks(request, RESEND)
                or _sentence(resend.under_way(row.state, row.next_try_at)),
            },
            {
                "label": _("Edit and send again …"),
                "url": words.url_of("edit", row),
                "why_not": self._lacks(request, EDIT) or _sentence(edited_resend.why_not(row)),
            },
        ]

    def again_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """With the words of last time, to the letter, or as they are rendered now."""
        row = self._row(request, object_id, RESEND)
        text = request.POST.get("text", resend.CURRENT)
        if request.method == "POST":
            if request.POST.get("step") == "reveal":
                reveal.reveal(request, row)
            elif why := self._send(request, row, text):
                messages.error(request, _("Nothing was done: %(why)s.") % {"why": why})
            else:
                messages.success(request, _("It is sent again, on the bulk queue of its channel."))
                return HttpResponseRedirect(page_url(row))
        return self._answer(
            request,
            "again",
            row,
            title=_("Send again"),
            **self._standing(request, row),
            text=text,
            is_kept=words.is_kept(row),
            edited=bool(row.edited),
            **_words(request, row),
        )

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """With facts of its event put right."""
        row = self._row(request, object_id, EDIT)
        if why := edited_resend.why_not(row):
            messages.error(request, _("Nothing was done: %(why)s.") % {"why": why})
            return HttpResponseRedirect(page_url(row))
        form = EditForm(request, row)
        if request.method == "POST":
            step = request.POST.get("step")
            if step in ("reveal", "check") and reveal.may_reveal(request):
                reveal.reveal(request, row)
            if step == "check":
                form.check()
            elif step == "send" and self._send_edited(request, row, form):
                messages.success(request, _("It is sent again with what was put right."))
                return HttpResponseRedirect(page_url(row))
        return self._answer(
            request,
            "edit",
            row,
            title=_("Edit and send again"),
            **self._standing(request, row),
            form=form,
        )

    def html_view(self, request: HttpRequest, object_id: str, whose: str) -> HttpResponse:
        """The HTML of a mail, for the frame of a page that has just been revealed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None or whose not in (words.SENT, words.NOW):
            raise Http404
        if not reveal.admits(request, row, request.GET.get("ticket", "")):
            raise PermissionDenied
        told = told_words.sent(row) if whose == words.SENT else told_words.now(row)
        return sandboxed.document(told.html)

    def _send(self, request: HttpRequest, row: Delivery, text: str) -> str:
        """Why it was not; empty when it is on its way."""
        reason = reason_given(request)
        if not reason:
            return no_reason()
        if text not in (resend.CURRENT, resend.ORIGINAL):
            return _("say which words are to be sent")
        by = request.user.get_username()
        override = self._overrides(request)
        return resend.resend_one(row, by=by, reason=reason, text=text, override=override)

    def _send_edited(self, request: HttpRequest, row: Delivery, form: EditForm) -> bool:
        try:
            why = no_reason()
            if reason := reason_given(request):
                why = edited_resend.edit_and_resend(
                    row,
                    form.typed,
                    by=request.user.get_username(),
                    reason=reason,
                    confirm=request.POST.get(CONFIRM, ""),
                    override=self._overrides(request),
                )
        except Wrong as wrong:
            form.problems = wrong.problems
            why = _("what is typed does not fit")
        if why:
            messages.error(request, _("Nothing was done: %(why)s.") % {"why": why})
        return not why

    def _overrides(self, request: HttpRequest) -> bool:
        """Raises PermissionDenied for who asks, and may not."""
        asked = request.POST.get("override") == "1"
        if asked and self._lacks(request, OVERRIDE):
            raise PermissionDenied
        return asked

    def _standing(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        """Whether the shop would have it sent now."""
        objection = resend.objection(row)
        overridable = bool(objection) and not resend.objection(row, override=True)
        return {
            "objection": objection,
            "overridable": overridable,
            "why_not_override": self._lacks(request, OVERRIDE),
        }

    def _row(self, request: HttpRequest, object_id: str, permission: str) -> Delivery:
        if not self.has_view_permission(request) or self._lacks(request, permission):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def _lacks(self, request: HttpRequest, permission: str) -> str:
        """What this visitor may not; empty when they may."""
        of = Job if permission == OVERRIDE else Delivery
        return refusal(request, of._meta, permission)

    def _answer(
        self, request: HttpRequest, page: str, row: Delivery, **context: Any
    ) -> TemplateResponse:
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "delivery": row,
            "revealed": reveal.is_revealed(row),
            "why_not_reveal": reveal.why_not_reveal(request),
            "reason": request.POST.get("reason", ""),
            **context,
        }
        return TemplateResponse(request, f"admin/notifications/delivery/{page}.html", whole)


def _words(request: HttpRequest, row: Delivery) -> dict[str, Any]:
    """What was said, what would be, and the difference: of a page that has been revealed."""
    if not reveal.is_revealed(row):
        return {}
    before, after = told_words.sent(row), told_words.now(row)
    both = ((words.SENT, before), (words.NOW, after))
    return {
        "words": [words.shown(request, row, whose, each) for whose, each in both],
        "comparable": not (before.problem or after.problem),
        "changes": words.difference(before, after),
    }


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}." if why else ""
