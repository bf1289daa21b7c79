"""Templates: what people are sent, edited, looked at with real events, published and taken back.

Every change is a POST with a permission of its own, and stands in the admin's log. Nothing here
needs JavaScript.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from notifications.admin import reveal, sandboxed
from notifications.admin import template_pages as pages
from notifications.admin.permitted import why_not
from notifications.admin.template_pages import EditPage, place_url
from notifications.models import Template, TemplateVersion
from notifications.redaction import redact
from notifications.templating import editing, places, trials
from notifications.templating.editing import Refused
from notifications.templating.places import NoSuchPlace, Place

if TYPE_CHECKING:
    _TemplateAdmin = admin.ModelAdmin[Template]
else:
    _TemplateAdmin = admin.ModelAdmin

View = Callable[..., HttpResponse]

KEPT, MOST_KEPT = "template_previews", 4
"""In the session: texts that were previewed and not saved, of the latest previews."""

PUBLISH, TEST = "notifications.publish_template", "notifications.send_test_template"


@admin.register(Template)
class TemplateAdmin(_TemplateAdmin):
    """The list is of everything that is told; a row is made when somebody edits it."""

    audits_itself = True

    class Media:
        css = {"all": ["notifications/admin.css", "notifications/templates.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        place = "<str:event_type>/<str:channel>/<str:language>/"
        own: list[tuple[str, View, list[str], str]] = [
            ("everywhere/", self.everywhere_view, ["GET"], "everywhere"),
            (place, self.edit_view, ["GET", "POST"], "edit"),
            (f"{place}frame/", self.frame_view, ["GET"], "frame"),
            (f"{place}<int:number>/", self.version_view, ["GET", "POST"], "version"),
        ]
        return [
            path(
                route,
                self.admin_site.admin_view(require_http_methods(methods)(view)),
                name=f"notifications_template_{name}",
            )
            for route, view, methods, name in own
        ] + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Everything that is told, and what is in use for it; `?route=…&language=…` leads on."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if "route" in request.GET:
            event_type, _slash, channel = request.GET["route"].partition(" ")
            try:
                chosen = places.find(event_type, channel, request.GET.get("language", ""))
            except NoSuchPlace as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(reverse("admin:notifications_template_changelist"))
            return HttpResponseRedirect(place_url(chosen))
        return self._page(request, "list", _("Templates"), **pages.overview())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Where the admin's log leads to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        template = self.get_object(request, object_id)
        if template is None:
            raise Http404
        return HttpResponseRedirect(
            place_url(Place(template.event_type, template.channel, template.locale))
        )

    def everywhere_view(self, request: HttpRequest) -> HttpResponse:
        """One event in every channel and language. It shows what a customer would read."""
        if not (self.has_change_permission(request) and reveal.may_reveal(request)):
            raise PermissionDenied
        event = pages.latest_or(request.GET.get("type", ""), request.GET.get("event", ""))
        if event is None:
            raise Http404
        reveal.reveal(request, event)
        shown = pages.everywhere(event, ticket=reveal.ticket(request, event))
        return self._page(request, "everywhere", _("In every channel and language"), **shown)

    def edit_view(
        self, request: HttpRequest, event_type: str, channel: str, language: str
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        place = _place(event_type, channel, language)
        page = EditPage(place, request.POST if request.method == "POST" else None)
        if request.method == "POST":
            done = self._do(request, page)
            if done:
                messages.success(request, done)
                return HttpResponseRedirect(page.url)
        elif self.has_change_permission(request):
            self._look(request, page)
        return self._page(request, "edit", str(place), page=page, **self._rights(request))

    def frame_view(
        self, request: HttpRequest, event_type: str, channel: str, language: str
    ) -> HttpResponse:
        """The HTML of a preview, which stands in a frame of the pages above."""
        if not (self.has_change_permission(request) and reveal.may_reveal(request)):
            raise PermissionDenied
        place = _place(event_type, channel, language)
        event = pages.event_of(place.event_type, request.GET.get("event", ""))
        if event is None:
            raise Http404
        # Whoever comes from the page is in the audit already; whoever made the address up is not.
        if not reveal.admits(request, event, request.GET.get("ticket", "")):
            reveal.reveal(request, event)
        texts = request.session.get(KEPT, {}).get(request.GET.get("kept"))
        html = pages.frame(place, event, texts)
        if html is None:
            raise Http404
        return sandboxed.document(html)

    def version_view(
        self, request: HttpRequest, event_type: str, channel: str, language: str, number: int
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        place = _place(event_type, channel, language)
        try:
            version = editing.version(place, number)
        except Refused:
            raise Http404 from None
        faults: list[Any] = []
        if request.method == "POST":
            self._insist(request, PUBLISH)
            try:
                back = editing.roll_back(place, number, by=_who(request), comment=_comment(request))
            except Refused as refused:
                messages.error(request, _not_done(refused))
                faults = refused.faults
            else:
                said = _("Version %(old)d is back, as version %(new)d.") % {
                    "old": number,
                    "new": back.number,
                }
                self._log(request, place, f"{said} {back.comment}")
                messages.success(request, said)
                return HttpResponseRedirect(place_url(place))
        return self._page(
            request,
            "version",
            _("Version %(number)d") % {"number": number},
            faults=faults,
            **pages.version(place, version),
            **self._rights(request),
        )

    def _do(self, request: HttpRequest, page: EditPage) -> str:
        """What was done, or nothing: then the page says why, or shows what was asked for."""
        match request.POST.get("action"):
            case "save":
                return self._save(request, page)
            case "publish":
                return self._publish(request, page)
            case "drop":
                return self._drop(request, page)
            case "take_back":
                return self._take_back(request, page)
            case "test":
                return self._test(request, page)
            case _:
                self._insist(request, "notifications.change_template")
                page.check()
                self._look(request, page)
                return ""

    def _save(self, request: HttpRequest, page: EditPage) -> str:
        self._insist(request, "notifications.change_template")
        try:
            draft = editing.save_draft(
                page.place, page.texts, by=_who(request), revision=page.revision
            )
        except Refused as refused:
            return self._refused(request, page, refused)
        said = _("Version %(number)d is saved as a draft.") % {"number": draft.number}
        self._log(request, page.place, f"{said} revision {draft.revision}")
        return said

    def _publish(self, request: HttpRequest, page: EditPage) -> str:
        """What stands in the form is saved first: it is what the visitor sees and means."""
        self._insist(request, PUBLISH)
        comment = _comment(request)
        revision, saved = page.revision, None
        try:
            if page.differs_from_draft:
                self._insist(request, "notifications.change_template")
                saved = editing.save_draft(
                    page.place, page.texts, by=_who(request), revision=revision
                )
                page.revision = revision = saved.revision
            version = editing.publish(
                page.place, by=_who(request), comment=comment, revision=revision
            )
        except Refused as refused:
            return self._refused(request, page, refused, saved)
        said = _("Version %(number)d is published.") % {"number": version.number}
        self._log(request, page.place, f"{said} {comment}")
        return said

    def _drop(self, request: HttpRequest, page: EditPage) -> str:
        self._insist(request, "notifications.change_template")
        try:
            editing.drop_draft(page.place, by=_who(request), revision=page.revision or 0)
        except Refused as refused:
            return self._refused(request, page, refused)
        self._log(request, page.place, said := _("The draft is thrown away."))
        return said

    def _take_back(self, request: HttpRequest, page: EditPage) -> str:
        self._insist(request, PUBLISH)
        comment = _comment(request)
        try:
            old = editing.take_back(page.place, by=_who(request), why=comment)
        except Refused as refused:
            return self._refused(request, page, refused)
        said = _("Version %(number)d is taken back.") % {"number": old.number}
        self._log(request, page.place, f"{said} {comment}")
        return said

    def _test(self, request: HttpRequest, page: EditPage) -> str:
        self._insist(request, TEST)
        self._insist(request, "notifications.change_template")
        try:
            if page.event is None:
                raise Refused(_("there is no event to send it with"))
            said = trials.send_test(
                page.place,
                page.event,
                page.texts,
                to=request.POST.get("address", ""),
                by=_who(request),
            )
        except Refused as refused:
            self._log(request, page.place, f"test with {page.event}: {refused.message}")
            return self._refused(request, page, refused)
        self._log(request, page.place, f"test with {page.event}: {said}")
        messages.success(request, _("Test %(said)s.") % {"said": said})
        self._look(request, page)
        return ""

    def _refused(
        self,
        request: HttpRequest,
        page: EditPage,
        refused: Refused,
        saved: TemplateVersion | None = None,
    ) -> str:
        """saved: the draft that was saved on the way all the same."""
        messages.error(request, _only_saved(saved, refused) if saved else _not_done(refused))
        page.faults = refused.faults
        self._look(request, page)
        return ""

    def _look(self, request: HttpRequest, page: EditPage) -> None:
        """With a real event, so for those alone who may see what people are told."""
        if page.event is None or not reveal.may_reveal(request):
            return
        reveal.reveal(request, page.event)
        kept = _keep(request, page.texts) if request.method == "POST" else ""
        page.look(ticket=reveal.ticket(request, page.event), kept=kept)

    def _insist(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def _rights(self, request: HttpRequest) -> dict[str, Any]:
        """refused: the buttons that this visitor may not press, each with why not."""
        may_change = self.has_change_permission(request)
        asked = (
            ("notifications.change_template", _("Save draft")),
            (PUBLISH, _("Publish")),
            (TEST, _("Send a test")),
        )
        return {
            "refused": [
                (label, why_not(self.opts, permission.partition(".")[2]))
                for permission, label in asked
                if not request.user.has_perm(permission)
            ],
            "why_not_publish": why_not(self.opts, PUBLISH.partition(".")[2]),
            "may_change": may_change,
            "may_publish": request.user.has_perm(PUBLISH),
            "may_test": may_change and request.user.has_perm(TEST),
            "why_no_preview": reveal.why_not_reveal(request),
        }

    def _log(self, request: HttpRequest, place: Place, message: str) -> None:
        template, _made = Template.objects.get_or_create(
            event_type=place.event_type, channel=place.channel, locale=place.locale
        )
        self.log_change(request, template, message)

    def _page(self, request: HttpRequest, name: str, title: str, **shown: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/notifications/template/{name}.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "media": self.media,
                **shown,
            },
        )


def _place(event_type: str, channel: str, language: str) -> Place:
    try:
        return places.find(event_type, channel, language)
    except NoSuchPlace:
        raise Http404 from None


def _keep(request: HttpRequest, texts: Mapping[str, str]) -> str:
    """Have the session keep what nobody has saved, for the frame that is to show it; where."""
    where = secrets.token_urlsafe(6)
    kept = {**request.session.get(KEPT, {}), where: dict(texts)}
    request.session[KEPT] = dict(list(kept.items())[-MOST_KEPT:])
    return where


def _not_done(refused: Refused) -> str:
    return _("Nothing was done: %(why)s.") % {"why": refused.message.rstrip(".")}


def _only_saved(draft: TemplateVersion, refused: Refused) -> str:
    why = str(refused.faults[0]) if refused.faults else refused.message
    said = _("Version %(number)d is saved as a draft, and is not published: %(why)s.")
    return said % {"number": draft.number, "why": why.rstrip(".")}


def _comment(request: HttpRequest) -> str:
    """Why, as it may be kept."""
    return redact(request.POST.get("comment", "").strip())


def _who(request: HttpRequest) -> str:
    return request.user.get_username()
