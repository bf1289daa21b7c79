"""Lookups: the variables of a template that no context has, found without rendering it.

Every node is walked, the branches that no event takes too, and what is included and extended.
Of a kind of node that is not known here nothing is let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from django.template.base import NodeList, Template, TextNode, VariableNode
from django.template.defaultfilters import first, last
from django.template.defaulttags import CommentNode, ForNode, IfNode, TemplateLiteral, WithNode
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.utils.translation import gettext, gettext_lazy

from notifications.templating.expressions import Fault
from notifications.templating.library import PluralNode
from notifications.templating.nodes import DEEPEST_INCLUDE, Turn
from notifications.templating.sandbox import compiled_partial
from notifications.templating.shapes import LEAF, Shape

_ALWAYS = dict.fromkeys(("True", "False", "None"), LEAF)
_COUNTS = ("counter", "counter0", "revcounter", "revcounter0", "first", "last")


def unknown(made: Template, shape: Shape) -> list[Fault]:
    """A Fault for each look-up that `shape` does not have, in the order in which they stand."""
    scope = _Scope({**_ALWAYS, **shape.names}, path=(str(made.name),))
    try:
        found = {str(fault): fault for fault in _walk(made.nodelist, scope)}
    except RecursionError:
        return [Fault(gettext("nested too deeply"), template=str(made.name))]
    return list(found.values())


@dataclass(frozen=True)
class _Scope:
    """The names that stand for something here; the blocks that are put into a base's; the files
    that led here."""

    names: Mapping[str, Shape]
    blocks: Mapping[str, BlockNode] = field(default_factory=dict)
    path: tuple[str, ...] = ()

    def having(self, names: Mapping[str, Shape]) -> _Scope:
        return replace(self, names={**self.names, **names})


def _walk(nodes: NodeList, scope: _Scope) -> Iterator[Fault]:
    for node in nodes:
        yield from _node(node, scope)


def _node(node: object, scope: _Scope) -> Iterator[Fault]:
    match node:
        case TextNode() | CommentNode() | Turn():
            return
        case VariableNode():
            yield from _printed(node.filter_expression, scope)
        case PluralNode():
            for each in (node.count, *node.texts.values()):
                yield from _expression(each, scope)
        case IfNode():
            for condition, body in node.conditions_nodelists:
                yield from _condition(condition, scope)
                yield from _walk(body, scope)
        case ForNode():
            yield from _loop(node, scope)
        case WithNode():
            yield from _named(node.extra_context, scope)
            yield from _walk(node.nodelist, scope.having(_shapes(node.extra_context, scope)))
        case BlockNode():
            yield from _walk(scope.blocks.get(node.name, node).nodelist, scope)
        case IncludeNode():
            yield from _include(node, scope)
        case ExtendsNode():
            yield from _extends(node, scope)
        case _:
            yield Fault(
                gettext("%(name)s is nothing that can be checked") % {"name": type(node).__name__}
            )


def _printed(expression: Any, scope: _Scope) -> Iterator[Fault]:
    yield from _expression(expression, scope)
    shape = _shape(expression, scope)
    if shape.is_list or shape.names:
        yield expression.fault(
            gettext("%(expression)s is a list or a dictionary, and no text")
            % {"expression": expression},
            str(expression),
        )


def _loop(node: Any, scope: _Scope) -> Iterator[Fault]:
    yield from _expression(node.sequence, scope)
    over = _shape(node.sequence, scope)
    entry = LEAF if over.names else over.entry or Shape(opaque=str(_EMPTY))
    if len(node.loopvars) > 1:
        entry = entry.entry or (entry if entry.opaque else LEAF)
    counts = Shape(names=dict.fromkeys(_COUNTS, LEAF))
    parent = scope.names.get("forloop", LEAF)
    forloop = Shape(names={**counts.names, "parentloop": parent})
    inner = scope.having({**dict.fromkeys(node.loopvars, entry), "forloop": forloop})
    yield from _walk(node.nodelist_loop, inner)
    yield from _walk(node.nodelist_empty, scope)


_EMPTY = gettext_lazy(
    "an entry of a list that was empty in every event looked at, so nothing is known of it"
)


def _include(node: Any, scope: _Scope) -> Iterator[Fault]:
    name = str(node.template.var)
    yield from _named(node.extra_context, scope)
    own = _shapes(node.extra_context, scope)
    inner = replace(scope, names={**_ALWAYS, **own}) if node.isolated_context else scope.having(own)
    yield from _file(name, node.template, replace(inner, blocks={}))


def _extends(node: Any, scope: _Scope) -> Iterator[Fault]:
    blocks = {**node.blocks, **scope.blocks}  # of several that extend, the outermost has its way
    name = str(node.parent_name.var)
    yield from _file(name, node.parent_name, replace(scope, blocks=blocks))


def _file(name: str, named_by: Any, scope: _Scope) -> Iterator[Fault]:
    if name in scope.path or len(scope.path) > DEEPEST_INCLUDE:
        yield named_by.fault(gettext("%(name)s leads to itself, or too deep") % {"name": name})
        return
    try:
        made = compiled_partial(name)
    except Fault as fault:
        yield named_by.fault(fault.message) if not fault.template else fault
        return
    yield from _walk(made.nodelist, replace(scope, path=(*scope.path, name)))


def _condition(condition: Any, scope: _Scope) -> Iterator[Fault]:
    if condition is None:  # else
        return
    if isinstance(condition, TemplateLiteral):
        yield from _expression(condition.value, scope)
        return
    for part in (condition.first, condition.second):
        if part is not None:
            yield from _condition(part, scope)


def _named(named: Mapping[str, Any], scope: _Scope) -> Iterator[Fault]:
    for expression in named.values():
        yield from _expression(expression, scope)


def _shapes(named: Mapping[str, Any], scope: _Scope) -> dict[str, Shape]:
    return {name: _shape(expression, scope) for name, expression in named.items()}


def _expression(expression: Any, scope: _Scope) -> Iterator[Fault]:
    for variable in expression.variables:
        path = variable.lookups
        current: Shape | None = Shape(names=dict(scope.names))
        for depth, name in enumerate(path, 1):
            parent, current = current, current.of(name) if current else None
            so_far = ".".join(path[:depth])
            if current is None:
                yield expression.fault(_missing(so_far, name, parent or LEAF), variable.var)
                break
            if current.opaque:
                yield expression.fault(f"{so_far} is {current.opaque}", variable.var)
                break


def _missing(so_far: str, name: str, parent: Shape) -> str:
    close = get_close_matches(name, parent.names, n=1)
    meant = f"; is {close[0]} meant?" if close else ""
    return f"there is no {so_far}{meant}"


def _shape(expression: Any, scope: _Scope) -> Shape:
    """What its value looks like: of a variable what is known of it, of most filters a text."""
    if not expression.is_var or expression.var.lookups is None:
        return LEAF
    current: Shape | None = Shape(names=dict(scope.names))
    for name in expression.var.lookups:
        current = current.of(name) if current else None
    for function, _ in expression.filters:
        current = current.entry if current and function in (first, last) else LEAF
    return current or LEAF
