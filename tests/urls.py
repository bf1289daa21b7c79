"""Every URL that the project answers, found by walking its patterns: those to come, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RoutePattern

GIVEN = {
    "event_type": "order.created",
    "channel": "email",
    "language": "en",
    "number": 1,
    "token": "no-token",
    "app_label": "notifications",
    "content_type_id": 1,
}
"""What stands in for a part of a URL, by its name; `object_id` is a row of the page's model."""

BY_KIND = {"str": "x", "slug": "x", "path": "order/1", "int": 1, "uuid": uuid4()}
_PART = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")


@dataclass(frozen=True)
class Url:
    """name: with its namespaces, "admin:orders_order_change"; of what has none, the path."""

    path: str
    name: str

    @property
    def is_named(self) -> bool:
        return self.name != self.path

    @property
    def page(self) -> str:
        """The last part of the name: "change"."""
        return self.name.rpartition(":")[2].rpartition("_")[2]


def every_url(rows: Iterable[Model], **given: Any) -> list[Url]:
    """One for each pattern, about these rows where it is about a row, else about the first there
    is. given: by the names of parts, over the names above."""
    by_model: dict[str, Any] = {
        f"{model._meta.app_label}/{model._meta.model_name}": model._default_manager.first()
        for model in admin.site._registry
    }
    by_model |= {f"{row._meta.app_label}/{row._meta.model_name}": row for row in rows}
    found: dict[str, Url] = {}
    for route in _routes(get_resolver(), ""):
        model = "/".join(route.split("/")[1:3])
        row = by_model.get(model)
        about = {**GIVEN, "object_id": getattr(row, "pk", 1), **given}
        path = "/" + _PART.sub(lambda part, about=about: _stands_in(part, about), route)
        match = resolve(path)
        found[path] = Url(path, match.view_name if match.url_name else path)
    return list(found.values())


def _routes(resolver: URLResolver, before: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        pattern = each.pattern
        if isinstance(pattern, RoutePattern):
            route = before + str(pattern._route)
        else:  # of Django's own admin: the lists of one app's models, and what is nowhere
            route = before + ("<app_label>/" if pattern.name == "app_list" else "nowhere/")
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from _routes(each, route if isinstance(pattern, RoutePattern) else before)


def _stands_in(part: re.Match[str], given: dict[str, Any]) -> str:
    value = given.get(part["name"], BY_KIND.get(part["kind"] or "str", 1))
    return str(value)
