"""Places: every event type, channel and language, and what is in use there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db.models import QuerySet
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.utils.translation import gettext

from notifications import rendering
from notifications.conf import conf
from notifications.exceptions import NotificationError
from notifications.models import TemplateVersion
from notifications.models.template import Template
from notifications.templating import files

DEFAULT = "default"
"""What the empty locale is called where it must have a name: in addresses and commands."""


class NoSuchPlace(NotificationError):
    """Nothing is told there, so there is nothing to write."""

    default_code = "no_such_place"


@dataclass(frozen=True, order=True)
class Place:
    """One event type, channel and language. locale: lower case, "de-at"; empty: everybody else."""

    event_type: str
    channel: str
    locale: str = ""

    @property
    def parts(self) -> tuple[rendering.Part, ...]:
        return rendering.edited_parts_of(self.channel)

    @property
    def language(self) -> str:
        """The locale, by a name that is never empty."""
        return self.locale or DEFAULT

    @property
    def chain(self) -> list[str]:
        """The locales whose text is used here, the closest first."""
        return [*rendering.languages(self.locale), ""]

    def __str__(self) -> str:
        named = {"event_type": self.event_type, "channel": self.channel, "language": self.locale}
        if self.locale:
            return gettext("%(event_type)s by %(channel)s in %(language)s") % named
        return gettext("%(event_type)s by %(channel)s in the default language") % named


@dataclass(frozen=True)
class Standing:
    """What is in use at a place: the published version, else its own files, else (neither) what
    the language falls back to."""

    place: Place
    published: TemplateVersion | None = None
    draft: TemplateVersion | None = None
    has_files: bool = False
    falls_back_to: str = ""

    @property
    def in_use(self) -> str:
        """In words: "version 3", "file", or where it falls back to."""
        if self.published:
            return f"version {self.published.number}"
        return "file" if self.has_files else f"as {self.falls_back_to or DEFAULT}"


def routed() -> list[tuple[str, str]]:
    """Event types with the channels over which they are told, where staff may edit the text."""
    return sorted(
        {
            (event_type, route.channel)
            for event_type, routes in conf().routes.items()
            for route in routes
            if rendering.edited_parts_of(route.channel)
        }
    )


def find(event_type: str, channel: str, language: str) -> Place:
    """The place of that name; "default" and "" are the same language. Raises NoSuchPlace."""
    if (event_type, channel) not in routed():
        raise NoSuchPlace(
            gettext(
                "Nothing is told of %(event_type)r over %(channel)r: no route in the settings, or "
                "a channel without a text."
            )
            % {"event_type": event_type[:100], "channel": channel[:40]}
        )
    if language in ("", DEFAULT):
        return Place(event_type, channel)
    known = rendering.languages(language)
    if not known or len(known[0]) > 35:
        raise NoSuchPlace(
            gettext('%(language)r is no language: give "de" or "de-AT".')
            % {"language": language[:40]}
        )
    return Place(event_type, channel, known[0])


def standings() -> list[Standing]:
    """Every place that has a text of its own: files, versions or a draft. Two queries."""
    versions = {
        (
            Place(each.template.event_type, each.template.channel, each.template.locale),
            each.state,
        ): each
        for each in _open_versions()
    }
    places = {Place(*route, locale) for route in routed() for locale in _locales_with_files(*route)}
    places |= {place for place, _ in versions if (place.event_type, place.channel) in routed()}
    return [_standing(place, versions) for place in sorted(places)]


def standing(place: Place) -> Standing:
    """The same of one place, whether it has a text of its own or not."""
    about = {"template__event_type": place.event_type, "template__channel": place.channel}
    rows = _open_versions().filter(**about)
    return _standing(
        place,
        {(Place(place.event_type, place.channel, e.template.locale), e.state): e for e in rows},
    )


def file_texts(place: Place) -> dict[str, str]:
    """What the place's own files hold, by field; those that are missing are left out."""
    found = {}
    for part in place.parts:
        path = rendering.path_of(place.event_type, part.file, place.locale)
        try:
            found[part.field] = files.source(path)
        except TemplateDoesNotExist:
            continue
        except TemplateSyntaxError as error:
            found[part.field] = f"{{# {path}: {error} #}}"
    return found


def texts_in_use(place: Place) -> dict[str, str]:
    """What people get here now, by field: the closest published version's or file's text."""
    published = {each.template.locale: each for each in _published(place)}
    found: dict[str, str] = {}
    for part in place.parts:
        for locale in place.chain:
            if locale in published:
                found[part.field] = published[locale].parts.get(part.field, "")
                break
            own = file_texts(Place(place.event_type, place.channel, locale))
            if part.field in own:
                found[part.field] = own[part.field]
                break
    return found


def _open_versions() -> QuerySet[TemplateVersion]:
    states = (TemplateVersion.State.DRAFT, TemplateVersion.State.PUBLISHED)
    return TemplateVersion.objects.filter(state__in=states).select_related("template")


def _published(place: Place) -> list[TemplateVersion]:
    at = {"template__event_type": place.event_type, "template__channel": place.channel}
    rows = TemplateVersion.objects.published().filter(**at, template__locale__in=place.chain)
    return list(rows.select_related("template"))


def _standing(place: Place, versions: Mapping[tuple[Place, str], TemplateVersion]) -> Standing:
    def has_text(locale: str) -> bool:
        at = Place(place.event_type, place.channel, locale)
        return (at, "published") in versions or bool(file_texts(at))

    return Standing(
        place,
        published=versions.get((place, "published")),
        draft=versions.get((place, "draft")),
        has_files=bool(file_texts(place)),
        falls_back_to=next((each for each in place.chain[1:] if has_text(each)), ""),
    )


def _locales_with_files(event_type: str, channel: str) -> set[str]:
    """The default, and each language's directory that holds a file of the channel's."""
    names = {part.file for part in rendering.edited_parts_of(channel)}
    found = {""}
    for directory in files.directories():
        for each in Path(directory, rendering.ROOT, event_type).glob("*/"):
            if each.is_dir() and any((each / name).is_file() for name in names):
                found.add(each.name)
    return {locale for locale in found if not locale or rendering.languages(locale)[:1] == [locale]}


def template_of(place: Place) -> Template | None:
    """Its row, if anybody has ever edited it."""
    return Template.objects.filter(
        event_type=place.event_type, channel=place.channel, locale=place.locale
    ).first()
