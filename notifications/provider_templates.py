"""A provider's own template, named and filled: what a `<channel>.template.json` holds.

WhatsApp sends to somebody who has not written lately only texts that Meta has approved beforehand.
Such a text lives with Meta; we name it and give what goes into its places, in Meta's own words:

    {
      "name": "order_shipped",
      "language": "en",
      "components": [
        {"type": "body", "parameters": [{"type": "text", "text": "{{ first_name }}"}]}
      ]
    }

Each text in it is a Django template. The file is read as JSON before that, so that a quotation mark
in a name cannot end the text in which it stands.
(WhatsApp Business Platform, Cloud API, Messages, "Template object".)
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.template import Context, Engine, Template

COMPILED = 1024
"""Texts kept compiled: more than a shop's templates have."""


class TemplateBroken(ValueError):
    """The file is not what the provider's template must be; the message says why."""


def read(source: str) -> dict[str, Any]:
    """The file's template, nothing filled in. Raises TemplateBroken."""
    try:
        template = json.loads(source)
    except ValueError as error:
        raise TemplateBroken(f"it is no JSON: {error}") from None
    if not isinstance(template, dict) or not _is_text(template.get("name")):
        raise TemplateBroken('it must be an object with a "name", as Meta approved it')
    language = template.get("language")
    if _is_text(language):
        template["language"] = {"code": language}
    elif not isinstance(language, dict) or not _is_text(language.get("code")):
        raise TemplateBroken('its "language" must be a code such as "en_US"')
    if not isinstance(template.setdefault("components", []), list):
        raise TemplateBroken('its "components" must be a list')
    return template


def filled(source: str, engine: Engine, values: Context) -> dict[str, Any]:
    """The template with each text rendered, on one line: Meta takes no line break and no tab in
    what it puts into a place."""
    filled: dict[str, Any] = _fill(read(source), engine, values)
    return filled


def check(source: str, engine: Engine) -> None:
    """Raises TemplateBroken, or Django's TemplateSyntaxError for a text that is no template."""
    _compile(read(source), engine)


def _compile(part: Any, engine: Engine) -> None:
    match part:
        case str():
            _compiled(part, engine)
        case list():
            for each in part:
                _compile(each, engine)
        case dict():
            _compile(list(part.values()), engine)


def _fill(part: Any, engine: Engine, values: Context) -> Any:
    match part:
        case str():
            return _rendered(part, engine, values) if "{" in part else part
        case list():
            return [_fill(each, engine, values) for each in part]
        case dict():
            return {name: _fill(each, engine, values) for name, each in part.items()}
        case _:
            return part


def _rendered(text: str, engine: Engine, values: Context) -> str:
    return " ".join(_compiled(text, engine).render(values).split())


@lru_cache(maxsize=COMPILED)
def _compiled(text: str, engine: Engine) -> Template:
    return Template(text, engine=engine)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
