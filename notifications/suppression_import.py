"""Suppression lists from elsewhere: a CSV file, read and written some rows at a time.

The first line names the columns: `address` (or `email`, `phone`, `EmailAddress`), and where there
are such, `channel`, `reason` and `note`. Others are passed over. Addresses are hashed as they are
read; no message about a line repeats one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from notifications import audit, suppressions
from notifications.conf import conf
from notifications.models import Suppression
from notifications.models.suppression import Refused

BATCH = 1000
"""Rows of one statement, and all that is held of a file."""

MOST_TOLD = 100
"""Wrong lines that are kept to be told; all are counted."""

_COLUMNS = {
    **dict.fromkeys(("address", "email", "emailaddress", "phone", "phonenumber"), "address"),
    **{name: name for name in ("channel", "reason", "note")},
}
_REASONS = {
    **{reason.value: reason for reason in Suppression.Reason},
    "": Suppression.Reason.IMPORTED,
    "bounce": Suppression.Reason.HARD_BOUNCE,  # as Amazon SES calls it
    "stop": Suppression.Reason.OPT_OUT_REPLY,
}


class WrongFile(Exception):
    """It cannot be read as a list at all; says why."""


@dataclass(frozen=True)
class WrongLine:
    number: int
    why: str


@dataclass
class Imported:
    """What became of the rows. already: suppressed before for that reason, or twice in the file."""

    added: int = 0
    already: int = 0
    wrong: int = 0
    told: list[WrongLine] = field(default_factory=list)


def import_csv(
    lines: Iterable[str],
    *,
    by: str,
    channel: str = "",
    note: str = "",
    dry_run: bool = False,
    tell: Callable[[WrongLine], None] = lambda _: None,
) -> Imported:
    """Suppress what `lines` (with their line ends) list. Once more, it changes nothing.

    channel, note: of the rows that give none. Each batch is committed by itself, so what is
    broken off goes on from the start. `tell` hears of each wrong line as it is read. Raises
    WrongFile.
    """
    imported = Imported()
    batch: list[Refused] = []
    write = suppressions.missing if dry_run else suppressions.add
    try:
        for row in _rows(lines, channel=channel, note=note, by=by):
            if isinstance(row, WrongLine):
                imported.wrong += 1
                if len(imported.told) < MOST_TOLD:
                    imported.told.append(row)
                tell(row)
                continue
            batch.append(row)
            if len(batch) == BATCH:
                _write(batch, write, imported)
        _write(batch, write, imported)
    finally:  # what broke off has suppressed what came before
        if imported.added and not dry_run:
            audit.record(
                "suppression.import",
                by=by,
                reason=note,
                target="suppressions",
                after={"added": imported.added, "already": imported.already},
                count=imported.added,
            )
    return imported


def _write(
    batch: list[Refused], write: Callable[[Sequence[Refused]], int], imported: Imported
) -> None:
    added = write(batch)
    imported.added += added
    imported.already += len(batch) - added
    batch.clear()


def _rows(
    lines: Iterable[str], *, channel: str, note: str, by: str
) -> Iterator[Refused | WrongLine]:
    reader = csv.reader(lines)
    columns: Mapping[str, int] = {}
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise WrongFile(f"line {reader.line_num} is no CSV: {error}") from None
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns = _columns(cells)
            continue
        if not _is_text(cells):
            yield WrongLine(reader.line_num, "it is no UTF-8")
            continue
        given = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        yield _row(reader.line_num, {"channel": channel, "note": note, **_filled(given)}, by=by)
    if not columns:
        raise WrongFile("the file is empty: its first line names the columns")


def _columns(cells: Sequence[str]) -> dict[str, int]:
    names = [_COLUMNS.get(re.sub(r"[\s_-]", "", cell).lower(), "") for cell in cells]
    if "address" not in names:
        raise WrongFile("the first line names no column `address`")
    return {name: at for at, name in enumerate(names) if name}


def _is_text(cells: Sequence[str]) -> bool:
    """Bytes that are none come as lone surrogates, which no database takes."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _filled(given: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in given.items() if text}


def _row(number: int, given: Mapping[str, str], *, by: str) -> Refused | WrongLine:
    address = given.get("address", "")
    if given["channel"] and given["channel"] not in conf().channels:
        # Not quoted: of a list whose columns are called the wrong way round it is the address.
        return WrongLine(number, f"its channel is none of {', '.join(conf().channels)}")
    if why := suppressions.problem_of(given["channel"], address):
        return WrongLine(number, why)
    reason = _REASONS.get(re.sub(r"[\s-]", "_", given.get("reason", "")).lower())
    if reason is None:
        known = ", ".join(Suppression.Reason.values)
        return WrongLine(number, f"its reason is none of {known}")
    return suppressions.refused_of(
        given["channel"], address, reason=reason, by=by, note=given["note"]
    )
