"""What the sandbox accepted: an SQLite file, so that memory stays flat however much it is."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notifications.channels.correlation import Correlation
from notifications.local.providers.ledger import Ledger

_COLUMNS = (
    "channel, address, tag, event_type, subject, sender, title, text, "
    "provider_message_id, accepted_at, headers, attachments"
)
_PLACES = ",".join("?" * 13)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- no id comes twice, not even after a reset
    channel TEXT NOT NULL, address TEXT NOT NULL,
    tag TEXT NOT NULL, event_type TEXT NOT NULL, subject TEXT NOT NULL,
    number TEXT AS (substr(subject, instr(subject, '/') + 1)),
    sender TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    provider_message_id TEXT NOT NULL, accepted_at REAL NOT NULL, html TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_by_channel ON message (channel, id);
"""
_ADDED = ("headers TEXT NOT NULL DEFAULT '{}'", "attachments TEXT NOT NULL DEFAULT '[]'")
"""Columns that a journal from before may lack."""


@dataclass(frozen=True)
class Incoming:
    """One send, as a wire protocol read it. Several addresses make a message each.

    headers, attachments (their names): of an email.
    """

    addresses: tuple[str, ...]
    correlation: Correlation
    text: str
    title: str = ""
    html: str = ""
    sender: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()


class Store:
    """Rows in the order of acceptance. Not for threads: the server has one.

    `journal` names a file that outlives the process; without it a temporary one is used.
    """

    def __init__(self, journal: Path | None = None) -> None:
        self._database = sqlite3.connect(journal or "", isolation_level=None)
        self._database.row_factory = sqlite3.Row
        # Written for every message: no fsync. A killed process loses nothing, a lost machine may.
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"PRAGMA journal_mode = {'WAL' if journal else 'MEMORY'}")
        self._database.executescript(_SCHEMA)
        for column in _ADDED:
            with suppress(sqlite3.OperationalError):  # it is there already
                self._database.execute(f"ALTER TABLE message ADD COLUMN {column}")
        self.ledger = Ledger(self._database)
        self.counts: dict[str, int] = dict(
            self._database.execute("SELECT channel, count(*) FROM message GROUP BY channel")
        )

    def add(self, channel: str, incoming: Incoming, provider_message_id: str) -> None:
        attached, now = incoming.correlation, time.time()
        for address in incoming.addresses:
            self._database.execute(
                f"INSERT INTO message ({_COLUMNS}, html) VALUES ({_PLACES})",  # noqa: S608
                (
                    channel,
                    address,
                    attached.tag,
                    attached.event_type,
                    attached.subject,
                    incoming.sender,
                    incoming.title,
                    incoming.text,
                    provider_message_id,
                    now,
                    json.dumps(dict(incoming.headers)),
                    json.dumps(incoming.attachments),
                    incoming.html,
                ),
            )
        self.counts[channel] = self.counts.get(channel, 0) + len(incoming.addresses)

    def after(self, last: int, *, channel: str = "", limit: int = 5_000) -> list[dict[str, Any]]:
        """The messages after the one with id `last`, oldest first."""
        return self._rows("id > ?", [last], channel, "ORDER BY id", limit)

    def newest(
        self, *, channel: str = "", search: str = "", before: int | None, after: int, limit: int
    ) -> list[dict[str, Any]]:
        """Newest first; `search`: a part of an address, a subject or its number, or a whole tag."""
        where, values = "id > ?", [after]
        if before is not None:
            where += " AND id < ?"
            values.append(before)
        return self._rows(where, values, channel, "ORDER BY id DESC", limit, search)

    def count(self, *, channel: str = "", search: str = "", after: int = 0) -> int:
        """How many there are; without a search or a start it is known and costs nothing."""
        if not search and not after:
            return self.counts.get(channel, 0) if channel else sum(self.counts.values())
        where, values = self._where("id > ?", [after], channel, search)
        found = self._database.execute(f"SELECT count(*) FROM message WHERE {where}", values)  # noqa: S608
        return int(found.fetchone()[0])

    def html(self, message: int) -> str | None:
        """The HTML of one email; None when there is no such message."""
        found = self._database.execute("SELECT html FROM message WHERE id = ?", [message])
        row = found.fetchone()
        return row and str(row["html"])

    def one(self, message: int) -> dict[str, Any] | None:
        rows = self._rows("id = ?", [message], "", "", 1)
        return rows[0] if rows else None

    def clear(self) -> None:
        self._database.execute("DELETE FROM message")
        self.ledger.clear()
        self.counts.clear()

    def close(self) -> None:
        self._database.close()

    def _rows(
        self,
        where: str,
        values: Sequence[Any],
        channel: str,
        order: str,
        limit: int,
        search: str = "",
    ) -> list[dict[str, Any]]:
        where, values = self._where(where, values, channel, search)
        found = self._database.execute(
            f"SELECT id, {_COLUMNS}, html <> '' AS has_html "  # noqa: S608
            f"FROM message WHERE {where} {order} LIMIT ?",
            [*values, limit],
        )
        return [_with_lists(row) for row in found]

    @staticmethod
    def _where(
        where: str, values: Sequence[Any], channel: str, search: str
    ) -> tuple[str, list[Any]]:
        """Only fixed texts enter the statement; what was asked for goes as values."""
        values = list(values)
        if channel:
            where += " AND channel = ?"
            values.append(channel)
        if search:
            where += " AND (instr(lower(address), ?) OR ? IN (subject, tag, number))"
            values += [search.lower(), search]
        return where, values


def _with_lists(row: sqlite3.Row) -> dict[str, Any]:
    return {
        **dict(row),
        "headers": json.loads(row["headers"]),
        "attachments": json.loads(row["attachments"]),
    }
