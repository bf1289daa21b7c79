"""What `manage.py told` prints: the answer, then the deliveries on which it rests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifications.management.timeline_text import NARROWEST, wrapped
from notifications.models import Delivery, Dispatch, Receipt, wait
from notifications.models.digest import LEFT_OUT
from notifications.redaction import redact
from notifications.told import Answer, Happening, Line

State = Delivery.State


def lines(answer: Answer, width: int) -> Iterator[str]:
    """Without line ends. width: columns of the terminal."""
    width = max(NARROWEST, width)
    yield from wrapped(f"{answer.about}: {answer.words}.", "", width)
    for happening in answer.happenings:
        yield from wrapped(_heading(happening), "", width)
        for line in happening.lines:
            yield from wrapped(f"{said(line)} ({beside(line)})", "  ", width)
        if not happening.lines and not happening.dispatches and not happening.letters:
            yield "  no channel has said anything yet"
        for dispatch in happening.dispatches:
            yield from wrapped(_ahead(dispatch), "  ", width)
        for letter in happening.letters:
            text = f"given up: dead letter {letter.pk} of {letter.queue}, {letter.reason}"
            yield from wrapped(f"{text}; {redact(letter.error)}".rstrip("; "), "  ", width)
    if answer.cut:
        yield "Only the latest are shown: narrow it by --event or --since."


def said(line: Line) -> str:
    """What became of one delivery: "told at 14:03 by email, delivered at 14:04"."""
    row = line.by
    match row.state:
        case State.SENT | State.DELIVERED | State.COMPLAINED | State.BOUNCED:
            return _sent(line)
        case State.UNKNOWN:
            ahead = f"tried again at {clock(row.next_try_at)}" if row.next_try_at else ""
            then = ahead or "it waits for a receipt or an operator"
            return f"nobody knows whether {row.channel} told it: {_error(row)}; {then}"
        case State.PENDING:
            waits = wait.words(row.reason, row.next_try_at)
            return f"not yet told by {row.channel}: {waits or 'its first attempt is ahead'}"
        case State.RETRYING:
            at = f", tried again at {clock(row.next_try_at)}" if row.next_try_at else ""
            return f"not yet told by {row.channel}: {_error(row) or 'interrupted'}{at}"
        case State.SENDING:
            return f"being told by {row.channel} just now"
        case _:
            return f"not told by {row.channel}: {why_not(row)}"


def why_not(row: Delivery) -> str:
    """Of one that was skipped, failed or discarded."""
    reason = row.reason.removeprefix(f"{LEFT_OUT}: ")
    words = _spelled(reason)
    if row.reason != reason:
        words = f"{words}, so it was left out of its digest"
    if row.state == State.SKIPPED:
        return words
    return f"{row.get_state_display()}, {words}" if words else row.get_state_display()


def beside(line: Line) -> str:
    """To whom, in how many attempts, and by which of the provider's ids."""
    row, by = line.delivery, line.by
    tries = f"{by.attempts} attempt{'' if by.attempts == 1 else 's'}" if by.attempts else ""
    provider = " ".join(filter(None, [by.provider, by.provider_message_id]))
    receipts = [f"{each.kind} {clock(each.occurred_at)}" for each in line.receipts]
    heard = f"receipts: {', '.join(receipts)}" if receipts else ""
    again = f"generation {row.generation}" if row.generation else ""
    who = f"{row.recipient} {row.masked_address}".rstrip()
    named = f"delivery {by.pk}"
    return ", ".join(filter(None, [who, tries, again, provider, heard, named]))


def clock(moment: datetime | None) -> str:
    """The shop's; with the day, unless that is today."""
    if moment is None:
        return "?"
    local = timezone.localtime(moment)
    today = local.date() == timezone.localdate()
    return f"{local:%H:%M}" if today else f"{local:%Y-%m-%d %H:%M}"


def as_json(answer: Answer) -> dict[str, Any]:
    return {
        "about": answer.about,
        "at": answer.at,
        "told": answer.told,
        "answer": answer.words,
        "cut": answer.cut,
        "events": [_event_as_json(each) for each in answer.happenings],
    }


def _event_as_json(happening: Happening) -> dict[str, Any]:
    return {
        "id": happening.event_id,
        "type": happening.type,
        "subject": happening.subject,
        "time": happening.time,
        "standing": happening.standing,
        "deliveries": [_line_as_json(line) for line in happening.lines],
        "dispatches": [
            {
                "id": each.pk,
                "destination": each.destination,
                "reason": each.reason,
                "available_at": each.available_at,
            }
            for each in happening.dispatches
        ],
        "dead_letters": [
            {"id": each.pk, "queue": each.queue, "reason": each.reason}
            for each in happening.letters
        ],
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    row, by = line.delivery, line.by
    return {
        "id": row.pk,
        "digest": line.digest and line.digest.pk,
        "words": said(line),
        "standing": line.standing,
        "state": by.state,
        "reason": row.reason,
        "channel": row.channel,
        "recipient": row.recipient,
        "address": row.masked_address,
        "attempts": by.attempts,
        "sent_at": by.sent_at,
        "next_try_at": by.next_try_at,
        "provider": by.provider,
        "provider_message_id": by.provider_message_id,
        "receipts": [
            {"kind": each.kind, "code": each.code, "occurred_at": each.occurred_at}
            for each in line.receipts
        ],
    }


def _heading(happening: Happening) -> str:
    at = f"{timezone.localtime(happening.time):%Y-%m-%d %H:%M:%S}"
    return f"{at}  {happening.type}  {happening.subject}"


def _sent(line: Line) -> str:
    by = line.by
    together = " in a digest" if line.digest else ""
    how = f"at {clock(by.sent_at)} by {by.channel}{together}"
    match by.state:
        case State.DELIVERED:
            return f"told {how}, delivered at {_heard(line, Receipt.Kind.DELIVERED)}"
        case State.COMPLAINED:
            return f"told {how}, and complained of it"
        case State.BOUNCED:
            return f"not told: sent {how}, and it came back: {_error(by) or _spelled(by.reason)}"
        case _:
            return f"told {how}"


def _heard(line: Line, kind: Receipt.Kind) -> str:
    moments = [each.occurred_at for each in line.receipts if each.kind == kind]
    return clock(moments[0] if moments else line.by.finished_at)


def _ahead(dispatch: Dispatch) -> str:
    """What waits in the outbox."""
    due = dispatch.available_at
    when = f"due at {clock(due)}" if due > timezone.now() else f"due since {clock(due)}"
    why = dispatch.get_reason_display()
    return f"a message to {dispatch.kind} {dispatch.destination} is {when}: {why}"


def _error(row: Delivery) -> str:
    return redact(row.last_error, address=row.address)


def _spelled(reason: str) -> str:
    return reason.replace("_", " ")
