"""The overview of the queues, as a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifications import providers
from notifications.durations import words
from notifications.management.verbs import local_moment
from notifications.models import Breaker, Pause
from notifications.queue_overview import Overview, Row
from notifications.topology import Role

NOT_KNOWN, NOTHING = "?", "-"
HEADINGS = (
    *("QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST", "DEAD"),
    *("LAG p50", "p95", "RATE", "DRAINS IN", "WORKERS", "POLLED", "STATE"),
)
_TO_THE_LEFT = frozenset({"QUEUE", "STATE"})


def lines(found: Overview) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it wants a look."""
    if found.trouble:
        yield f"SQS does not tell: {found.trouble}", True
    rows = [row for row in found.rows if not _is_empty_net(row)]
    cells = [HEADINGS, *(_cells(row, found.at) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    wanting = [False, *(_wants_a_look(row) for row in rows)]
    for row, warn in zip(cells, wanting, strict=True):
        padded = (
            cell.ljust(width) if heading in _TO_THE_LEFT else cell.rjust(width)
            for cell, width, heading in zip(row, widths, HEADINGS, strict=True)
        )
        yield "  ".join(padded).rstrip(), warn


def as_json(row: Row, at: datetime) -> dict[str, Any]:
    """Times in seconds, rates in events a second; null where it is not known."""
    counts, oldest = row.counts, row.oldest
    return {
        "name": row.queue.name,
        "physical": row.queue.physical,
        "role": row.queue.role.value,
        "consumer": row.consumer.name,
        "channel": row.consumer.channel,
        "account": row.consumer.account_name,
        "visible": counts.visible if counts else None,
        "in_flight": counts.in_flight if counts else None,
        "delayed": counts.delayed if counts else None,
        "oldest_age": _age(row, at),
        "oldest_is_sure": oldest.sure if oldest else None,
        "dead_letters": {"in_sqs": row.letters_in_sqs, "open": row.open_letters}
        if row.queue.role in (Role.MAIN, Role.DEAD_LETTERS)
        else None,
        "lag": {"p50": row.lag.p50, "p95": row.lag.p95, "count": row.lag.count},
        "rate": row.rate,
        "drains_in": row.drains_in,
        "workers": [vars(server) for server in row.servers],
        "pauses": [pause_json(pause) for pause in row.pauses],
        "accounts": providers.accounts_of(row.consumer),
        "breaker": _breaker(row.breakers[0]) if row.breakers else None,
        "breakers": [_breaker(breaker) for breaker in row.breakers],
    }


def pause_json(pause: Pause) -> dict[str, Any]:
    return {
        "kind": pause.kind,
        "name": pause.name,
        "by": pause.paused_by,
        "reason": pause.reason,
        "since": pause.paused_at,
    }


def pause_words(pause: Pause) -> str:
    what = f"{pause.get_kind_display()} {pause.name}"
    return (
        f"{what} paused by {pause.paused_by} since {local_moment(pause.paused_at)}: {pause.reason}"
    )


def _is_empty_net(row: Row) -> bool:
    """What SNS could not deliver is a line only where there is some: there hardly ever is."""
    return row.queue.role is Role.UNDELIVERED and bool(row.counts and not row.counts.total)


def _cells(row: Row, at: datetime) -> tuple[str, ...]:
    if row.queue.role.is_grave:
        here = f"{row.open_letters} open here" if row.open_letters else ""
        return (row.queue.name, *_counted(row), *[""] * 8, here)
    ages = [server.last_poll for server in row.servers if server.last_poll is not None]
    return (
        row.queue.name,
        *_counted(row),
        _oldest(row, at),
        "" if row.queue.role is Role.BULK else _dead(row),
        NOTHING if row.lag.p50 is None else words(row.lag.p50),
        NOTHING if row.lag.p95 is None else words(row.lag.p95),
        f"{row.rate:.3g}/s" if row.rate else NOTHING,
        _drains_in(row),
        str(len(row.servers)),
        words(min(ages)) if ages else NOTHING,
        _state(row),
    )


def _counted(row: Row) -> tuple[str, str, str]:
    if row.counts is None:
        return (NOT_KNOWN,) * 3
    return (str(row.counts.visible), str(row.counts.in_flight), str(row.counts.delayed))


def _oldest(row: Row, at: datetime) -> str:
    if row.oldest is None:
        return NOT_KNOWN
    age = _age(row, at)
    return NOTHING if age is None else f"{'' if row.oldest.sure else '< '}{words(age)}"


def _age(row: Row, at: datetime) -> float | None:
    since = row.oldest.at if row.oldest else None
    return None if since is None else max(0.0, (at - since).total_seconds())


def _dead(row: Row) -> str:
    more = "+?" if row.letters_in_sqs is None else ""
    return f"{(row.letters_in_sqs or 0) + row.open_letters}{more}"


def _drains_in(row: Row) -> str:
    if row.drains_in is None:
        return NOT_KNOWN if row.counts is None else "never"
    return words(row.drains_in) if row.drains_in else NOTHING


def _state(row: Row) -> str:
    held = [pause_words(pause) for pause in row.pauses]
    held += [_breaker_words(breaker) for breaker in row.breakers]
    said = tuple(f"account {breaker.account} " for breaker in row.breakers)
    said += tuple(f"{pause} paused " for pause in row.pauses)
    whys = {server.held_by for server in row.servers}
    held += sorted(why for why in whys if why and not why.startswith(said))
    return "; ".join(held) or ("running" if row.servers else "nobody serves it")


def _wants_a_look(row: Row) -> bool:
    unserved = bool(row.counts and row.counts.total and not row.servers)
    letters = row.open_letters or row.letters_in_sqs or bool(row.counts and row.counts.total)
    dead = row.queue.role.is_grave and bool(letters)
    waiting = unserved and not row.queue.role.is_grave
    return bool(row.pauses or row.breakers or waiting or dead)


def _breaker(breaker: Breaker) -> dict[str, Any]:
    return {
        "account": breaker.account,
        "error": breaker.last_error,
        "failures": breaker.failures,
        "openings": breaker.openings,
        "since": breaker.opened_at,
        "probe_at": breaker.probe_at,
    }


def _breaker_words(breaker: Breaker) -> str:
    since = local_moment(breaker.opened_at) if breaker.opened_at else "now"
    return (
        f"account {breaker.account} left alone since {since}, "
        f"{breaker.failures} failures: {breaker.last_error}; next probe {_due_in(breaker)}"
    )


def _due_in(breaker: Breaker) -> str:
    if breaker.probe_at is None:
        return "is due"
    seconds = (breaker.probe_at - timezone.now()).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else "is due"
