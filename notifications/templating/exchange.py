"""Exchange: edited templates as files, in the layout in which a repository keeps them.

What staff have published can be exported, reviewed and committed; what was changed in files can be
imported as drafts, which are checked and published like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from notifications.models import TemplateVersion
from notifications.rendering import path_of
from notifications.templating import editing, places
from notifications.templating.places import Place


def exported(place: Place, number: int | None = None) -> dict[str, str]:
    """Texts by the file that each belongs into: of a version, else of what is published.

    Raises Refused when there is none. A part that is left out has no file.
    """
    if number is None:
        version = places.standing(place).published
        if version is None:
            raise editing.Refused(f"nothing is published: {place} is a file already")
    else:
        version = editing.version(place, number)
    return {
        path_of(place.event_type, part.file, place.locale): text.rstrip("\n") + "\n"
        for part in place.parts
        if (text := version.parts.get(part.field, "")).strip()
    }


def write(directory: Path, texts: dict[str, str]) -> None:
    """Put each text into its file below `directory`, a templates directory."""
    for name, text in texts.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def found(directory: Path) -> Iterator[tuple[Place, dict[str, str]]]:
    """Each place that has a file below `directory`, with the texts that are there.

    A part without a file is taken from what is in use.
    """
    for event_type, channel in places.routed():
        for locale in _locales(directory / path_of(event_type, "")):
            place = Place(event_type, channel, locale)
            texts = {}
            for part in place.parts:
                file = directory / path_of(event_type, part.file, locale)
                if file.is_file():
                    texts[part.field] = file.read_text(encoding="utf-8")
            if texts:
                yield place, {**places.texts_in_use(place), **texts}


def import_draft(place: Place, texts: dict[str, str], *, by: str) -> TemplateVersion:
    """Keep the texts as a draft. Raises Refused when there is one: somebody is at work there."""
    if places.standing(place).draft is not None:
        raise editing.Refused(
            f"of {place} there is a draft, which an import would overwrite: publish it, or throw "
            "it away (`manage.py templates drop-draft`)"
        )
    return editing.save_draft(place, texts, by=by, revision=None)


def _locales(directory: Path) -> list[str]:
    if not directory.is_dir():
        return []
    return ["", *sorted(each.name for each in directory.iterdir() if each.is_dir())]
