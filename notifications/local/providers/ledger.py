"""What the sandbox's payment provider charged and gave back, in the store's SQLite file."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charge (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, reference TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL,
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    status TEXT NOT NULL, code TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS refund (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, charge TEXT NOT NULL,
    amount INTEGER NOT NULL, created_at REAL NOT NULL
);
"""
Row = dict[str, Any]


class Impossible(Exception):
    """What no payment provider does; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class ChargeAsked:
    key: str
    amount: int
    currency: str
    reference: str

    def is_of(self, row: Row) -> bool:
        """Whether that is what was asked for under the same key before."""
        return (row["amount"], row["currency"], row["reference"]) == (
            self.amount,
            self.currency,
            self.reference,
        )


@dataclass(frozen=True)
class RefundAsked:
    key: str
    amount: int
    charge: str

    def is_of(self, row: Row) -> bool:
        return (row["amount"], row["charge"]) == (self.amount, self.charge)


class Ledger:
    """Charges and refunds, one for each key. Not for threads: the server has one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.executescript(_SCHEMA)

    def charge(self, asked: ChargeAsked, *, decline: str = "") -> Row:
        """The charge under this key, made now if there is none: declined for that reason, if given.

        Raises Impossible for a key that was used for something else.
        """
        if (row := self.charge_under(asked.key)) is not None:
            return _same(row, asked)
        self._database.execute(
            "INSERT INTO charge (id, key, reference, amount, currency, status, code, created_at) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (
                f"ch_{uuid4().hex}",
                asked.key,
                asked.reference,
                asked.amount,
                asked.currency,
                "declined" if decline else "succeeded",
                decline,
                time.time(),
            ),
        )
        return self._written("charge", asked.key)

    def refund(self, asked: RefundAsked) -> Row:
        """The refund under this key, made now if there is none. Raises Impossible, also for more
        than is left of the charge."""
        if (row := self.refund_under(asked.key)) is not None:
            return _same(row, asked)
        charge = self._one("charge", "id", asked.charge)
        if charge is None or charge["status"] != "succeeded":
            raise Impossible("no_such_charge", "There is no such charge, or it was declined.")
        if asked.amount > charge["amount"] - charge["refunded"]:
            raise Impossible("refund_exceeds_charge", "Less than that is left of the charge.")
        self._database.execute(
            "UPDATE charge SET refunded = refunded + ? WHERE id = ?", (asked.amount, asked.charge)
        )
        self._database.execute(
            "INSERT INTO refund (id, key, charge, amount, created_at) VALUES (?,?,?,?,?)",
            (f"re_{uuid4().hex}", asked.key, asked.charge, asked.amount, time.time()),
        )
        return self._written("refund", asked.key)

    def charge_under(self, key: str) -> Row | None:
        return self._one("charge", "key", key)

    def refund_under(self, key: str) -> Row | None:
        return self._one("refund", "key", key)

    def rows(self, table: str, *, after: int, limit: int) -> list[Row]:
        """The charges, or the refunds, after that number; oldest first."""
        found = self._database.execute(
            f"SELECT * FROM {_known(table)} WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608
            (after, limit),
        )
        return [dict(row) for row in found]

    def count(self, table: str) -> int:
        found = self._database.execute(f"SELECT count(*) FROM {_known(table)}")  # noqa: S608
        return int(found.fetchone()[0])

    def clear(self) -> None:
        self._database.execute("DELETE FROM refund")
        self._database.execute("DELETE FROM charge")

    def _written(self, table: str, key: str) -> Row:
        row = self._one(table, "key", key)
        assert row is not None, key  # noqa: S101 - written in the statement before
        return row

    def _one(self, table: str, column: str, value: str) -> Row | None:
        found = self._database.execute(
            f"SELECT * FROM {_known(table)} WHERE {column} = ?",  # noqa: S608
            (value,),
        )
        row = found.fetchone()
        return dict(row) if row else None


def _known(table: str) -> str:
    """Only fixed texts enter a statement."""
    return {"charge": "charge", "refund": "refund"}[table]


def _same(row: Row, asked: ChargeAsked | RefundAsked) -> Row:
    if not asked.is_of(row):
        raise Impossible("idempotency_key_reused", "This key was used for another request.")
    return row
