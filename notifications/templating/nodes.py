"""Nodes of edited templates: Django's own, which pay for what they do.

`for`, `include`, `plural` and what is printed charge the budget of their rendering
(`notifications.templating.budget`); a loop's body begins with a `Turn`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.template.base import Node, TextNode, VariableNode, render_value_in_context
from django.template.defaulttags import ForNode
from django.template.loader_tags import IncludeNode
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from notifications.templating.budget import spend
from notifications.templating.expressions import Fault
from notifications.templating.library import PluralNode

DEEPEST_INCLUDE = 10
"""Files included or extended by one another."""


class Text(TextNode):
    def render_annotated(self, context: Any) -> str:
        spend(characters=len(self.s))
        return str(self.s)


class Printed(VariableNode):
    def render(self, context: Any) -> str:
        expression: Any = self.filter_expression
        value = expression.resolve(context)
        if isinstance(value, dict | list):
            raise expression.fault(
                gettext("%(expression)s is a list or a dictionary, and no text")
                % {"expression": expression},
                str(expression),
            )
        text = str(render_value_in_context(value, context))
        spend(characters=len(text))
        return text


class Plural(PluralNode):
    def render(self, context: Any) -> SafeString:
        text = super().render(context)
        spend(characters=len(text))
        return text


class Turn(Node):
    """Stands first in the body of each loop, and pays for the turn."""

    def render(self, context: Any) -> str:
        spend()
        return ""


class For(ForNode):
    def render(self, context: Any) -> Any:
        over: Any = self.sequence
        values = over.resolve(context, ignore_failures=True)
        if values is not None and not isinstance(values, list | dict):
            raise over.fault(gettext("%(over)s is no list") % {"over": over}, str(over))
        try:
            return super().render(context)
        except ValueError as error:  # so many names for an entry of another length
            raise over.fault(f"{over}: {error}", str(over)) from None


class Include(IncludeNode):
    def render(self, context: Any) -> Any:
        named_by: Any = self.template
        with _deeper(str(named_by.var)):
            return super().render(context)


_depth: ContextVar[int] = ContextVar("notifications.templating.depth", default=0)


@contextmanager
def _deeper(name: str) -> Iterator[None]:
    depth = _depth.get()
    if depth >= DEEPEST_INCLUDE:
        raise Fault(
            gettext("files include one another more than %(most)s deep")
            % {"most": DEEPEST_INCLUDE},
            template=name,
        )
    token = _depth.set(depth + 1)
    try:
        yield
    finally:
        _depth.reset(token)
