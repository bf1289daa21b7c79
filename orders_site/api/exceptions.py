"""What the API answers in place of what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ClientRefused(ValueError):
    """An API client cannot be made or changed so; the text names the field."""


@dataclass(frozen=True)
class Fault:
    """One field that is wrong, by its path in the request: "lines.0.quantity"."""

    field: str
    message: str


class Problem(Exception):
    """An answer of the API that is an error: its HTTP status, code, sentence, and fields."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
        **more: object,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.headers = headers or {}
        self.more = more
        super().__init__(status, code, message)
