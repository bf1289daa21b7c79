"""A variable of the environment: its line in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orders_site.environment.kinds import Kind

ALL = ("web", "relay", "worker")
"""The kinds of process; "make" is what runs on one's own machine only."""


@dataclass(frozen=True)
class Variable:
    """One line of the table.

    about: what it is for. default: what holds where it is not set, in the type of its kind;
    without: the same in words, where the value does not say it. used_by: the processes that need
    it. read_by: who reads it, where that is not us.
    """

    name: str
    kind: Kind
    about: str
    default: Any = None
    without: str = ""
    used_by: tuple[str, ...] = ALL
    read_by: str = ""

    def is_set(self, environ: Mapping[str, str]) -> bool:
        return self.name in environ and bool(environ[self.name] or self.kind.blank)

    def read(self, environ: Mapping[str, str]) -> Any:
        """Its value. Raises ValueError where it holds what cannot be read."""
        return self.kind.parse(environ[self.name]) if self.is_set(environ) else self.default

    def problem(self, environ: Mapping[str, str]) -> str:
        """What is wrong with what it holds; empty if nothing. Tells no secret."""
        try:
            self.read(environ)
        except ValueError:
            held = "holds what" if self.kind.secret else f"is {environ[self.name]!r}, which"
            return f"{self.name} {held} cannot be read: give {self.kind.expected}."
        return ""

    @property
    def default_in_words(self) -> str:
        if self.without:
            return self.without
        match self.default:
            case None:
                return ""
            case bool():
                return str(int(self.default))
            case tuple():
                return " ".join(self.default)
            case float():
                return f"{self.default:g}"
        return str(self.default)
