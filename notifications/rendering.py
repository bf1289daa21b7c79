"""Templates become Content: `notifications/<event type>/[<locale>/]<channel>[.<part>].<ext>`.

They are ordinary Django templates (`notifications.templating.files`), or what staff have published
in their place (`notifications.templating.published`): for each language, the closest first, the
published version, else the file.

A part in JSON (the data of a provider's own template) is read as JSON first, and then each text in
it is a template of its own: whatever a variable holds, it stays in the text where it was put. Staff
do not edit it: the provider has approved it as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.template import Context, TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import Template
from django.utils import timezone, translation

from notifications import provider_templates
from notifications.channels.base import Content
from notifications.channels.sms_parts import breakable
from notifications.envelope import Envelope, write
from notifications.exceptions import PermanentError
from notifications.provider_templates import TemplateBroken
from notifications.recipients import Recipient
from notifications.templating import files, plain, sandbox
from notifications.templating.expressions import Fault
from notifications.templating.library import BadValue

ROOT = "notifications"
TEMPLATE_BROKEN = "template_broken"
_SMS = "sms.txt"
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


class Edited(Protocol):
    """A version that staff have written. It settles all parts: one it leaves out is left out."""

    @property
    def label(self) -> str: ...

    def part(self, field: str) -> Template | None: ...


InForce = Mapping[tuple[str, str, str], Edited]
"""Versions by event type, channel and language."""

_PARTS: Mapping[str, tuple[Part, ...]] = {
    "email": (
        Part("subject", "email.subject.txt"),
        Part("text", "email.txt"),
        Part("html", "email.html", optional=True),
    ),
    "push": (Part("subject", "push.title.txt"), Part("text", "push.txt")),
    "webhook": (),
    "whatsapp": (
        Part("text", "whatsapp.txt"),
        Part("template", "whatsapp.template.json", optional=True),
    ),
}


def parts_of(channel: str) -> tuple[Part, ...]:
    """The templates that a channel renders; a channel we do not know has one, `<channel>.txt`.

    Empty for a channel that is told the event itself.
    """
    return _PARTS.get(channel, (Part("text", f"{channel}.txt"),))


def verbatim(envelope: Envelope) -> Content:
    """The event itself, as CloudEvents JSON: what a channel without templates is told.

    Without its trace, which is ours: with it a partner could tell which events one visit caused.
    """
    return Content(text=write(replace(envelope, traceparent="")))


def render(
    envelope: Envelope,
    *,
    channel: str,
    recipient: Recipient,
    context: Mapping[str, Any],
    edited: InForce | None = None,
) -> Content:
    """What `recipient` is told about `envelope` over `channel`, in their language and time zone.

    Templates see `context`, and besides it `event` (the envelope), `data` (its facts) and
    `recipient`. edited: what is used in place of files. Raises PermanentError: `template_missing`,
    `template_variable`, `template_value` or `template_broken` (a part in JSON), each naming the
    template; errors in the syntax of a file come as Django raises them.
    """
    rendering = _Rendering(envelope, channel, recipient, context, edited or {})
    with speaking_to(recipient), files.noting_sources() as sources:
        fields = {part.field: rendering.part(part) for part in parts_of(channel)}
    return Content(**fields, template_version=rendering.version(sources))


def edited_parts_of(channel: str) -> tuple[Part, ...]:
    """Those that staff may edit."""
    return tuple(part for part in parts_of(channel) if not part.is_json)


def missing_templates(event_type: str, channel: str) -> list[str]:
    """The templates without which this route cannot be told, for the system check."""
    return [
        path_of(event_type, part.file)
        for part in parts_of(channel)
        if not part.optional and not _exists(path_of(event_type, part.file))
    ]


def has_provider_template(event_type: str, channel: str) -> bool:
    """Whether the event names a template that the provider itself has, in the default language."""
    names = [part.file for part in parts_of(channel) if part.is_json]
    return any(_exists(f"{ROOT}/{event_type}/{name}") for name in names)


def broken_templates(event_type: str, channel: str) -> list[str]:
    """What Django says about templates of this route that do not compile, for the system check."""
    problems = []
    for part in parts_of(channel):
        path = path_of(event_type, part.file)
        try:
            template = files.engine().get_template(path)
            if part.is_json:
                provider_templates.check(str(template.source), files.engine())
        except TemplateDoesNotExist:
            continue
        except (TemplateSyntaxError, TemplateBroken) as error:
            problems.append(f"{path}: {error}")
    return problems


class _Rendering:
    """One message: the languages that are tried for it, and what its parts were made of."""

    def __init__(
        self,
        envelope: Envelope,
        channel: str,
        recipient: Recipient,
        context: Mapping[str, Any],
        edited: InForce,
    ) -> None:
        self._envelope, self._channel, self._recipient = envelope, channel, recipient
        self._context, self._edited = context, edited
        self._languages = [*languages(recipient.locale), ""]
        self._label = ""

    def part(self, part: Part) -> Any:
        for language in self._languages:
            version = self._edited.get((self._envelope.type, self._channel, language))
            if version is not None and not part.is_json:
                self._label = version.label
                return self._from_version(part, version)
            try:
                template = files.engine().get_template(
                    path_of(self._envelope.type, part.file, language)
                )
            except TemplateDoesNotExist:
                continue
            return self._from_file(part, template)
        if part.optional:
            return {} if part.is_json else ""
        raise PermanentError(
            f"no template {path_of(self._envelope.type, part.file)}: put it into a templates "
            "directory of your project",
            "template_missing",
        )

    def version(self, sources: Mapping[str, str]) -> str:
        """The label of the version and the hash of the files, whichever were used."""
        hashed = files.version(sources) if sources or not self._label else ""
        return "+".join(filter(None, (self._label, hashed)))

    @cached_property
    def _plain(self) -> dict[str, Any]:
        return plain.context_of(self._envelope, self._recipient, self._context)

    def _from_version(self, part: Part, version: Edited) -> str:
        try:
            made = version.part(part.field)
            if made is None:
                return ""
            return _as_field(part, sandbox.rendered(made, self._plain, escaping=part.is_html))
        except Fault as fault:
            code = "template_variable" if fault.variable else "template_value"
            raise PermanentError(str(fault), code) from None

    def _from_file(self, part: Part, template: Template) -> Any:
        seen = {"event": self._envelope, "data": self._envelope.data, "recipient": self._recipient}
        values = Context({**seen, **self._context}, autoescape=part.is_html)
        try:
            if part.is_json:
                return provider_templates.filled(str(template.source), files.engine(), values)
            return _as_field(part, template.render(values))
        except files.Undefined as error:
            raise PermanentError(
                f"{template.name} uses {error.variable!r}, which its context does not have",
                "template_variable",
            ) from None
        except BadValue as error:
            raise PermanentError(f"{template.name}: {error}", "template_value") from None
        except TemplateBroken as error:
            raise PermanentError(f"{template.name}: {error}", TEMPLATE_BROKEN) from None


def _as_field(part: Part, text: str) -> str:
    if part.field == "subject":
        return one_line(text)
    return breakable(text.strip()) if part.file == _SMS else text.strip()


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


def path_of(event_type: str, file: str, language: str = "") -> str:
    return "/".join(filter(None, (ROOT, event_type, language, file)))


def _exists(path: str) -> bool:
    try:
        files.engine().get_template(path)
    except TemplateDoesNotExist:
        return False
    except TemplateSyntaxError:
        return True
    return True


@contextmanager
def speaking_to(recipient: Recipient) -> Iterator[None]:
    """The recipient's language and clock. An unknown one costs the nicety, not the message."""
    found = languages(recipient.locale)
    with ExitStack() as stack:
        stack.enter_context(translation.override(found[0] if found else settings.LANGUAGE_CODE))
        if recipient.time_zone:
            with suppress(ZoneInfoNotFoundError, ValueError):
                stack.enter_context(timezone.override(ZoneInfo(recipient.time_zone)))
        yield
