"""Templates become Content: `notifications/<event type>/[<locale>/]<channel>[.<part>].<ext>`.

They are ordinary Django templates, found as the project's own TEMPLATES setting finds any
other, with three differences: only HTML is escaped, a variable that does not exist is an
error instead of an empty place in somebody's receipt, and what was used is hashed.

A part in JSON (the data of a provider's own template) is read as JSON first, and then each text in
it is a template of its own: whatever a variable holds, it stays in the text where it was put.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.signals import setting_changed
from django.template import Context, Engine, TemplateDoesNotExist, TemplateSyntaxError
from django.utils import timezone, translation

from notifications import provider_templates
from notifications.channels.base import Content
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.provider_templates import TemplateBroken
from notifications.recipients import Recipient

ROOT = "notifications"
TEMPLATE_BROKEN = "template_broken"
_LANGUAGE_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*\Z")


@dataclass(frozen=True)
class Part:
    """One template of a channel. `field` is the field of Content that it fills."""

    field: str
    file: str
    optional: bool = False

    @property
    def is_html(self) -> bool:
        return self.file.endswith(".html")

    @property
    def is_json(self) -> bool:
        return self.file.endswith(".json")


_PARTS: Mapping[str, tuple[Part, ...]] = {
    "email": (
        Part("subject", "email.subject.txt"),
        Part("text", "email.txt"),
        Part("html", "email.html", optional=True),
    ),
    "push": (Part("subject", "push.title.txt"), Part("text", "push.txt")),
    "whatsapp": (
        Part("text", "whatsapp.txt"),
        Part("template", "whatsapp.template.json", optional=True),
    ),
}


def parts_of(channel: str) -> tuple[Part, ...]:
    """The templates that a channel renders; a channel we do not know has one, `<channel>.txt`."""
    return _PARTS.get(channel) or (Part("text", f"{channel}.txt"),)


def render(
    envelope: Envelope, *, channel: str, recipient: Recipient, context: Mapping[str, Any]
) -> Content:
    """What `recipient` is told about `envelope` over `channel`, in their language and time zone.

    Templates see `context`, and besides it `event` (the envelope), `data` (its facts) and
    `recipient`. Raises PermanentError: `template_missing`, `template_variable` or
    `template_broken` (a part in JSON), each naming the template; errors in a template's syntax
    come as Django raises them.
    """
    values = Context({"event": envelope, "data": envelope.data, "recipient": recipient, **context})
    fields: dict[str, Any] = {}
    with _speaking_to(recipient), _noting_sources() as sources:
        for part in parts_of(channel):
            fields[part.field] = _render_part(part, envelope.type, recipient.locale, values)
    return Content(**fields, template_version=_version(sources))


def missing_templates(event_type: str, channel: str) -> list[str]:
    """The templates without which this route cannot be told, for the system check."""
    return [
        _path(event_type, part.file)
        for part in parts_of(channel)
        if not part.optional and not _exists(_path(event_type, part.file))
    ]


def has_provider_template(event_type: str, channel: str) -> bool:
    """Whether the event names a template that the provider itself has, in the default language."""
    names = [part.file for part in parts_of(channel) if part.is_json]
    return any(_exists(f"{ROOT}/{event_type}/{name}") for name in names)


def broken_templates(event_type: str, channel: str) -> list[str]:
    """What Django says about templates of this route that do not compile, for the system check."""
    problems = []
    for part in parts_of(channel):
        path = _path(event_type, part.file)
        try:
            template = _engine().get_template(path)
            if part.is_json:
                provider_templates.check(str(template.source), _engine())
        except TemplateDoesNotExist:
            continue
        except (TemplateSyntaxError, TemplateBroken) as error:
            problems.append(f"{path}: {error}")
    return problems


def _render_part(part: Part, event_type: str, locale: str, values: Context) -> Any:
    directories = [*languages(locale), ""]
    candidates = [_path(event_type, part.file, language) for language in directories]
    try:
        template = _engine().select_template(candidates)
    except TemplateDoesNotExist:
        if part.optional:
            return {} if part.is_json else ""
        raise PermanentError(
            f"no template {candidates[-1]}: put it into a templates directory of your project",
            "template_missing",
        ) from None
    values.autoescape = part.is_html
    try:
        if part.is_json:
            return provider_templates.filled(str(template.source), _engine(), values)
        text = template.render(values)
    except _Undefined as error:
        raise PermanentError(
            f"{template.name} uses {error.variable!r}, which its context does not have",
            "template_variable",
        ) from None
    except TemplateBroken as error:
        raise PermanentError(f"{template.name}: {error}", TEMPLATE_BROKEN) from None
    return one_line(text) if part.field == "subject" else text.strip()


def one_line(text: str) -> str:
    """`text` as a subject: no line break and no control character can start a second header."""
    spaced = " ".join(text.split())
    return "".join(letter for letter in spaced if not unicodedata.category(letter).startswith("C"))


def languages(locale: str) -> list[str]:
    """The directories tried for a language tag, closest first: "de-AT" → de-at, de."""
    tag = locale.lower().replace("_", "-")
    if not _LANGUAGE_TAG.match(tag):
        return []
    subtags = tag.split("-")
    return ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]


def _path(event_type: str, file: str, language: str = "") -> str:
    return "/".join(filter(None, (ROOT, event_type, language, file)))


def _exists(path: str) -> bool:
    try:
        _engine().get_template(path)
    except TemplateDoesNotExist:
        return False
    except TemplateSyntaxError:
        return True
    return True


@contextmanager
def _speaking_to(recipient: Recipient) -> Iterator[None]:
    """The recipient's language and clock. An unknown one costs the nicety, not the message."""
    found = languages(recipient.locale)
    with ExitStack() as stack:
        stack.enter_context(translation.override(found[0] if found else settings.LANGUAGE_CODE))
        if recipient.time_zone:
            with suppress(ZoneInfoNotFoundError, ValueError):
                stack.enter_context(timezone.override(ZoneInfo(recipient.time_zone)))
        yield


# What was used, included and extended templates too: all of them pass `find_template`.
_sources: ContextVar[dict[str, str]] = ContextVar("notifications.rendering.sources")


@contextmanager
def _noting_sources() -> Iterator[dict[str, str]]:
    token = _sources.set({})
    try:
        yield _sources.get()
    finally:
        _sources.reset(token)


def _version(sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\0{sources[name]}\0".encode())
    return digest.hexdigest()[:16]


class _Engine(Engine):
    def find_template(self, name: str, dirs: Any = None, skip: Any = None) -> Any:
        template, origin = super().find_template(name, dirs, skip)
        noted = _sources.get(None)
        if noted is not None:
            noted[str(origin)] = str(template.source)
        return template, origin


class _Undefined(Exception):
    def __init__(self, variable: str) -> None:
        super().__init__(variable)
        self.variable = variable


class _RaiseIfInvalid(str):
    """A `string_if_invalid` that raises.

    Django asks it whether it holds a "%s" and then formats the variable's name into it. A
    call that a template may not make becomes this object itself, which is then printed.
    """

    def __contains__(self, item: object) -> bool:
        return True

    def __mod__(self, variable: object) -> NoReturn:
        raise _Undefined(str(variable))

    def __str__(self) -> NoReturn:
        raise _Undefined("a call that templates may not make")


@cache
def _engine() -> Engine:
    """The project's own template engine again, with our three differences."""
    project = Engine.get_default()
    return _Engine(
        dirs=project.dirs,
        loaders=project.loaders,
        string_if_invalid=_RaiseIfInvalid("undefined"),
        file_charset=project.file_charset,
        libraries=project.libraries,
        builtins=project.builtins,
    )


def _forget(*, setting: str, **_: object) -> None:
    if setting in {"TEMPLATES", "INSTALLED_APPS"}:
        _engine.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.rendering")
