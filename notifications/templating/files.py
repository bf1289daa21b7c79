"""Files: the repository's templates, found as the project's own TEMPLATES setting finds any other.

Three differences: only HTML is escaped, a variable that does not exist is an error instead of an
empty place in somebody's receipt, and what was used is hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn

from django.core.signals import setting_changed
from django.template import Engine

LIBRARY = "notifications.templating.library"

# What was used, included and extended templates too: all of them pass `find_template`.
_sources: ContextVar[dict[str, str]] = ContextVar("notifications.templating.files.sources")


def source(name: str) -> str:
    """The text of a file. Raises TemplateDoesNotExist, or TemplateSyntaxError as Django does."""
    return str(engine().get_template(name).source)


def directories() -> list[str]:
    """Where the project's loaders look for templates."""
    found: list[str] = []
    for loader in engine().template_loaders:
        for each in getattr(loader, "loaders", [loader]):
            found.extend(map(str, each.get_dirs() if hasattr(each, "get_dirs") else ()))
    return found


@contextmanager
def noting_sources() -> Iterator[dict[str, str]]:
    """Which files are used within, and what stands in them."""
    token = _sources.set({})
    try:
        yield _sources.get()
    finally:
        _sources.reset(token)


def version(sources: Mapping[str, str]) -> str:
    """The same for the same files with the same texts: 16 hexadecimal digits."""
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


class Undefined(Exception):
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
        raise Undefined(str(variable))

    def __str__(self) -> NoReturn:
        raise Undefined("a call that templates may not make")


@cache
def engine() -> Engine:
    """The project's own template engine again, with our three differences and our library."""
    project = Engine.get_default()
    return _Engine(
        dirs=project.dirs,
        loaders=project.loaders,
        string_if_invalid=_RaiseIfInvalid("undefined"),
        file_charset=project.file_charset,
        libraries=project.libraries,
        builtins=[*project.builtins, LIBRARY],
    )


def _forget(*, setting: str, **_: object) -> None:
    if setting in {"TEMPLATES", "INSTALLED_APPS"}:
        engine.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.templating.files")
