"""Shapes: which variables the shop's context has, learnt from contexts of real events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from notifications.templating.plain import Opaque


@dataclass(frozen=True)
class Shape:
    """What can be looked up in a value.

    names: of a dictionary; entry: what a list's entries look like, None where every list was
    empty; opaque: why it may not be used, whatever it is.
    """

    names: dict[str, Shape] = field(default_factory=dict)
    entry: Shape | None = None
    is_list: bool = False
    opaque: str = ""

    def of(self, name: str) -> Shape | None:
        """What a look-up of `name` finds."""
        if name in self.names:
            return self.names[name]
        return self.entry if name.isascii() and name.isdecimal() else None


LEAF = Shape()


def shape_of(value: Any) -> Shape:
    """value: plain data."""
    if isinstance(value, Opaque):
        return Shape(opaque=value.why)
    if isinstance(value, dict):
        return Shape(names={name: shape_of(entry) for name, entry in value.items()})
    if isinstance(value, list):
        return Shape(is_list=True, entry=_any_of(map(shape_of, value)))
    return LEAF


def merged(one: Shape, other: Shape) -> Shape:
    """Whatever one or the other has: what one event lacks, another may have."""
    names = dict(one.names)
    for name, shape in other.names.items():
        names[name] = merged(names[name], shape) if name in names else shape
    return Shape(
        names=names,
        entry=_any_of(each for each in (one.entry, other.entry) if each is not None),
        is_list=one.is_list or other.is_list,
        opaque=one.opaque or other.opaque,
    )


def union(contexts: Iterable[dict[str, Any]]) -> Shape:
    """The shape of all these contexts together."""
    return reduce(merged, map(shape_of, contexts), LEAF)


def _any_of(shapes: Iterable[Shape]) -> Shape | None:
    found = list(shapes)
    return reduce(merged, found) if found else None
