"""Editing: what staff do with a template, each in one transaction under the template's lock."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit
from notifications.exceptions import NotificationError
from notifications.models import TemplateVersion
from notifications.models.template import Template
from notifications.redaction import redact
from notifications.templating import published
from notifications.templating.examination import examine
from notifications.templating.expressions import Fault
from notifications.templating.places import Place, file_texts
from notifications.templating.sandbox import LONGEST_TEMPLATE

MOST_LINES = 2000
"""Lines of a part that are compared; what difflib takes grows with their square."""

MOST_COMMENT = 255
"""Characters of a comment, as the rows keep it."""


class Refused(NotificationError):
    """Nothing was done. faults: what is wrong with the text, if that is why."""

    default_code = "template_refused"

    def __init__(self, message: str, faults: list[Fault] | None = None) -> None:
        super().__init__(message)
        self.faults = faults or []


def save_draft(
    place: Place, texts: Mapping[str, str], *, by: str, revision: int | None
) -> TemplateVersion:
    """Keep these texts as the draft. A draft may be wrong: that is said when it is published.

    revision: of the draft that was edited; None: there was none. Raises Refused when somebody else
    has saved another meanwhile.
    """
    kept = {part.field: _tidy(texts.get(part.field, "")) for part in place.parts}
    if any(len(text) > LONGEST_TEMPLATE for text in kept.values()):
        raise Refused(
            gettext("a part has more than %(most)s characters") % {"most": LONGEST_TEMPLATE}
        )
    with transaction.atomic(using=_database()):
        template = _held(place)
        draft = _draft_of(template)
        if (draft.revision if draft else None) != revision:
            raise Refused(
                gettext("somebody else has changed the draft meanwhile: look at it first")
            )
        before = {"draft": draft.number, "revision": draft.revision} if draft else {}
        if draft is None:
            draft = TemplateVersion.objects.add(template, kept, author=by)
        else:
            TemplateVersion.objects.rewrite(draft.pk, kept, revision=draft.revision, author=by)
        draft.refresh_from_db()
        after = {"draft": draft.number, "revision": draft.revision}
        _audit("save_draft", template, place, by=by, before=before, after=after)
        return draft


def drop_draft(place: Place, *, by: str, revision: int) -> None:
    """Throw the draft away. Raises Refused."""
    with transaction.atomic(using=_database()):
        template = _held(place)
        draft = _draft_of(template)
        if draft is None or not TemplateVersion.objects.drop_draft(draft.pk, revision=revision):
            raise Refused(gettext("there is no such draft any more"))
        before = {"draft": draft.number, "revision": revision}
        _audit("drop_draft", template, place, by=by, before=before, after={"draft": None})


def publish(place: Place, *, by: str, comment: str, revision: int | None = None) -> TemplateVersion:
    """Let the draft be what is sent from now on.

    revision: of the draft that was looked at; None: whatever it is now. Raises Refused: with what
    is wrong with it, or because it was changed meanwhile.
    """
    _insist_on_comment(comment)
    template = _template(place)
    draft = _draft_of(template) if template else None
    if template is None or draft is None or revision not in (None, draft.revision):
        raise Refused(gettext("there is no such draft any more: look at it first"))
    _insist_on_sound(place, draft.parts)
    with transaction.atomic(using=_database()):
        template = _held(place)
        before = _in_use(template)
        TemplateVersion.objects.retire(template, by=by)
        if not TemplateVersion.objects.publish(
            draft.pk, revision=draft.revision, by=by, comment=redact(comment)
        ):
            raise Refused(
                gettext("somebody else has changed the draft meanwhile: look at it first")
            )
        states = {"before": before, "after": _in_use(template)}
        _audit("publish", template, place, by=by, reason=comment, **states)
        published.look_again_after_commit()
    draft.refresh_from_db()
    return draft


def roll_back(place: Place, number: int, *, by: str, comment: str) -> TemplateVersion:
    """Bring the texts of an older version back, as a new one. A draft is left as it is.

    Raises Refused: there is no such version, it is in use, or it would not do today.
    """
    _insist_on_comment(comment)
    older = version(place, number)
    if older.state != TemplateVersion.State.RETIRED:
        raise Refused(
            gettext("version %(number)s is %(state)s")
            % {"number": number, "state": older.get_state_display()}
        )
    _insist_on_sound(place, older.parts)
    with transaction.atomic(using=_database()):
        template = _held(place)
        before = _in_use(template)
        TemplateVersion.objects.retire(template, by=by)
        back = TemplateVersion.objects.bring_back(template, older, by=by, comment=redact(comment))
        after = {**_in_use(template), "as_version": number}
        _audit("rollback", template, place, by=by, reason=comment, before=before, after=after)
        published.look_again_after_commit()
    return back


def take_back(place: Place, *, by: str, why: str) -> TemplateVersion:
    """Use the repository's files again, or what the language falls back to.

    Raises Refused: nothing is published, or nothing is left to be used.
    """
    _insist_on_comment(why)
    with transaction.atomic(using=_database()):
        template = _held(place)
        current = to_take_back(place)
        states = {"before": _in_use(template), "after": {"version": None}}
        TemplateVersion.objects.retire(template, by=by, why=redact(why))
        _audit("take_back", template, place, by=by, reason=why, **states)
        published.look_again_after_commit()
    return current


def to_take_back(place: Place) -> TemplateVersion:
    """What `take_back` would take back. Raises Refused as it does."""
    template = _template(place)
    published_now = TemplateVersion.State.PUBLISHED
    current = template.versions.filter(state=published_now).first() if template else None
    if current is None:
        raise Refused(gettext("nothing is published here: the files are in use"))
    required = {part.field for part in place.parts if not part.optional}
    if not place.locale and not required <= set(file_texts(place)):
        raise Refused(gettext("there are no files that could be used in its place"))
    return current


def version(place: Place, number: int) -> TemplateVersion:
    """Raises Refused when there is no such version."""
    template = _template(place)
    found = template.versions.filter(number=number).first() if template else None
    if found is None:
        raise Refused(
            gettext("there is no version %(number)s of %(place)s")
            % {"number": number, "place": place}
        )
    return found


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """What is changed, by field: lines that begin with a blank, "+" or "-"; "@" parts them."""
    changed = {}
    for field in {**before, **after}:
        old, new = before.get(field, "").splitlines(), after.get(field, "").splitlines()
        if old != new and max(len(old), len(new)) > MOST_LINES:
            changed[field] = [f"@ more than {MOST_LINES} lines, and not the same"]
            continue
        lines = difflib.unified_diff(old, new, lineterm="", n=2)
        if shown := [*islice(lines, 2, None)]:  # its first two name files
            changed[field] = shown
    return changed


def _in_use(template: Template) -> dict[str, Any]:
    """The number of the version that is published; None: the files, or what they fall back to."""
    return {"version": template.versions.published().values_list("number", flat=True).first()}


def _audit(
    verb: str, template: Template, place: Place, *, before: Any, after: Any, **about: Any
) -> None:
    named = {"place": str(place)}
    audit.record(
        f"template.{verb}",
        target=template,
        before={**named, **before},
        after={**named, **after},
        **about,
    )


def _insist_on_sound(place: Place, texts: Mapping[str, str]) -> None:
    if faults := examine(place, texts):
        raise Refused(gettext("it cannot be published"), faults)


def _insist_on_comment(comment: str) -> None:
    if not 0 < len(comment.strip()) <= MOST_COMMENT:
        raise Refused(gettext("say why, in 1 to %(most)s characters") % {"most": MOST_COMMENT})


def _tidy(text: str) -> str:
    """As files have it: what a browser sends has other line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _template(place: Place) -> Template | None:
    return Template.objects.filter(
        event_type=place.event_type, channel=place.channel, locale=place.locale
    ).first()


def _held(place: Place) -> Template:
    return Template.objects.held(place.event_type, place.channel, place.locale)


def _draft_of(template: Template) -> TemplateVersion | None:
    return template.versions.filter(state=TemplateVersion.State.DRAFT).first()


def _database() -> str:
    return router.db_for_write(TemplateVersion)
