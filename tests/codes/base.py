"""The words of the tables: a row is one code, a table is one adapter's."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)


class Meaning(Enum):
    """What a code means; the value is the error that says so."""

    TRANSIENT = TransientError
    PERMANENT = PermanentError
    PAUSE = ProviderPaused
    UNKNOWN = OutcomeUnknown

    @property
    def error(self) -> type[NotificationError]:
        return self.value

    def what_we_do(self, retries_unknown: bool | None) -> str:
        """In the words of docs/channels.md; None: it depends on the channel."""
        unknown = {True: "unknown: send again", False: "unknown: wait for a receipt, then ask"}
        return {
            Meaning.TRANSIENT: "try again later",
            Meaning.PERMANENT: "give up: dead letter",
            Meaning.PAUSE: "stop the account, probe it",
            Meaning.UNKNOWN: "unknown" if retries_unknown is None else unknown[retries_unknown],
        }[self]


@dataclass(frozen=True)
class Row:
    """One code, as an attempt shows it.

    says: what the provider means by it. behaviour, arguments: how the sandbox is made to say it;
    without arguments it refuses with the code itself.
    elsewhere: where the channel has several providers, another is asked.
    """

    code: str
    meaning: Meaning
    says: str
    behaviour: str = "refuse"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    elsewhere: bool = False

    @property
    def script(self) -> dict[str, Any]:
        """The arguments of `SandboxClient.script`."""
        if self.arguments or self.behaviour != "refuse":
            return {"behaviour": self.behaviour, **self.arguments}
        return {"behaviour": "refuse", "code": self.code}


@dataclass(frozen=True)
class Group:
    """Rows that several adapters share."""

    title: str
    sources: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """What the adapter that `tests/channels.py` calls `adapter` may be told.

    rows: its provider's own; shared: those it meets besides. sources: where the codes come from.
    note: what a reader must know besides, a sentence or two.
    """

    adapter: str
    title: str
    sources: tuple[str, ...]
    rows: tuple[Row, ...]
    shared: tuple[Group, ...] = ()
    note: str = ""

    def every_row(self) -> tuple[Row, ...]:
        return self.rows + tuple(row for group in self.shared for row in group.rows)


def rows(
    meaning: Meaning, codes: Mapping[str, str], *, elsewhere: Container[str] = ()
) -> Iterable[Row]:
    """A row for each code and what it says, all of one meaning."""
    return [Row(code, meaning, says, elsewhere=code in elsewhere) for code, says in codes.items()]
