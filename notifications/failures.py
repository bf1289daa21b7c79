"""Failures that nobody has seen to yet, in groups: of one cause, one channel, one provider or one
event type (decision 0037), with what an operator has noted about a cause.

    groups(Selection(channel="email"), by=By.CAUSE)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.db import connections, router, transaction
from django.db.models.functions import Now

from notifications import audit, consumers
from notifications.exceptions import NotAnEvent
from notifications.failure_counts import FAILURE, LETTER, MOST, Cell, Selection, cells
from notifications.models import DeadLetter, Delivery, FailureNote
from notifications.redaction import redact
from notifications.redrive import queues_of
from notifications.timeline_entries import consumer_of

LONGEST_NOTE = 1000
"""Characters."""

_LATEST = f"""
SELECT latest.id FROM unnest(%s::text[]) AS wanted (fingerprint), LATERAL (
    SELECT id FROM notifications_delivery
    WHERE fingerprint = wanted.fingerprint
      AND {FAILURE}
    ORDER BY updated_at DESC LIMIT 1
) AS latest
"""  # noqa: S608 - a constant of ours


class By(StrEnum):
    """What the failures of a group have in common."""

    CAUSE = "cause"
    CHANNEL = "channel"
    PROVIDER = "provider"
    EVENT_TYPE = "event_type"


@dataclass
class Group:
    """Failures with one thing in common, which is its key, within a selection.

    count: of failures, each once. letters, failed, unknown: the rows that there are of each kind;
    what the buttons are about. last_hour, hour_before: of the count, how many came then.
    """

    key: str
    selection: Selection
    count: int = 0
    letters: int = 0
    failed: int = 0
    unknown: int = 0
    last_hour: int = 0
    hour_before: int = 0
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    fingerprints: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    event_types: set[str] = field(default_factory=set)
    example: DeadLetter | Delivery | None = None  # the latest, without a letter's body
    note: FailureNote | None = None
    _example_letter: int = 0

    def add(self, cell: Cell) -> None:
        self.count += cell.counted
        self.letters += cell.total if cell.kind == LETTER else 0
        self.failed += cell.total if cell.kind == Delivery.State.FAILED else 0
        self.unknown += cell.total if cell.kind == Delivery.State.UNKNOWN else 0
        self.last_hour += cell.last_hour
        self.hour_before += cell.hour_before
        first, last = self.first_seen_at, self.last_seen_at
        self.first_seen_at = min(first, cell.first_seen_at) if first else cell.first_seen_at
        self.last_seen_at = max(last, cell.last_seen_at) if last else cell.last_seen_at
        self.fingerprints.add(cell.fingerprint)
        self.channels.add(_channel(cell))
        self.providers |= {cell.provider} - {""}
        self.event_types |= {cell.event_type} - {""}
        self._example_letter = max(self._example_letter, cell.example or 0)


@dataclass(frozen=True)
class Groups:
    """Most failures first. cut: there are more kinds of failure than are told apart."""

    by: By
    groups: list[Group]
    cut: bool

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)


def groups(selection: Selection | None = None, *, by: By = By.CAUSE) -> Groups:
    """What fails now. Five queries at most, whatever there is."""
    selection = selection or Selection()
    queues = channel = None
    if selection.channel is not None:
        queues = queues_of([selection.channel])
        channel = consumers.channel_of(selection.channel) or selection.channel
    found = cells(selection, channel=channel, queues=queues)
    made: dict[str, Group] = {}
    for cell in found[:MOST]:
        key = _key(cell, by)
        group = made.setdefault(key, Group(key, _narrowed(selection, by, key)))
        group.add(cell)
    ordered = sorted(made.values(), key=lambda group: (-group.count, -group.letters, group.key))
    if by is By.CAUSE:
        _add_examples(ordered)
        _add_notes(ordered)
    return Groups(by, ordered, cut=len(found) > MOST)


def group(fingerprint: str) -> Group:
    """The failures of one cause; a group without any when there are none (any more)."""
    selection = Selection(fingerprint=fingerprint)
    found = groups(selection).groups
    if found:
        return found[0]
    empty = Group(fingerprint, selection)
    _add_notes([empty])
    return empty


def reason(group: Group) -> str:
    """The latest's, in a word: a letter's reason or a delivery's; empty where there is none."""
    example = group.example
    if isinstance(example, Delivery) and example.state == Delivery.State.UNKNOWN:
        return Delivery.State.UNKNOWN
    return example.reason if example else ""


def can_be_redriven(group: Group) -> bool:
    """Whether its letters can: what is no event is read by nobody the next time either."""
    return reason(group) != NotAnEvent.default_code


def error(group: Group) -> str:
    """What the latest said, not redacted."""
    match group.example:
        case DeadLetter() as letter:
            return letter.error or letter.error_class
        case Delivery() as delivery:
            return delivery.last_error
    return ""


def letters_of(selection: Selection) -> dict[str, list[str]] | None:
    """The filter of its open dead letters, as `redrive` and discarding have it; None: it is about
    deliveries alone."""
    if selection.provider is not None:
        return None
    wanted = {
        "fingerprint": selection.fingerprint,
        "queue": selection.channel,
        "event_type": selection.event_type,
    }
    return {name: [value] for name, value in wanted.items() if value is not None}


def deliveries_of(selection: Selection, state: str) -> dict[str, list[str]]:
    """The filter of its deliveries in this state, as `resend` and discarding have it."""
    channel = selection.channel
    wanted = {
        "state": state,
        "fingerprint": selection.fingerprint,
        "channel": None if channel is None else consumers.channel_of(channel) or channel,
        "provider": selection.provider,
        "event_type": selection.event_type,
    }
    return {name: [value] for name, value in wanted.items() if value is not None}


def write_note(fingerprint: str, text: str, *, by: str) -> None:
    """The note of this cause, in place of the one there was; an empty text clears it."""
    text = redact(text.strip())[:LONGEST_NOTE]
    using = router.db_for_write(FailureNote)
    with transaction.atomic(using=using):
        notes = FailureNote.objects.using(using)
        before = notes.select_for_update().filter(pk=fingerprint).first()
        if (before.text if before else "") == text:
            return
        if text:
            notes.update_or_create(
                pk=fingerprint, defaults={"text": text, "by": by[:150], "at": Now()}
            )
        else:
            notes.filter(pk=fingerprint).delete()
        audit.record(
            "failure_note.write" if text else "failure_note.clear",
            by=by,
            target=f"failures of {fingerprint}",
            before={"text": before.text} if before else None,
            after={"text": text} if text else None,
            using=using,
        )


def _add_examples(made: list[Group]) -> None:
    letters = DeadLetter.objects.defer("body", "attributes").in_bulk(
        [group._example_letter for group in made if group._example_letter]
    )
    by_letter = {letter.fingerprint: letter for letter in letters.values()}
    others = [group.key for group in made if group.key not in by_letter]
    with connections[router.db_for_read(Delivery)].cursor() as cursor:
        cursor.execute(_LATEST, [others])
        ids = [row[0] for row in cursor.fetchall()]
    by_delivery = {each.fingerprint: each for each in Delivery.objects.filter(pk__in=ids)}
    for group in made:
        group.example = by_letter.get(group.key) or by_delivery.get(group.key)


def _add_notes(made: list[Group]) -> None:
    notes = FailureNote.objects.in_bulk([group.key for group in made])
    for group in made:
        group.note = notes.get(group.key)


def _key(cell: Cell, by: By) -> str:
    match by:
        case By.CAUSE:
            return cell.fingerprint
        case By.CHANNEL:
            return _channel(cell)
        case By.PROVIDER:
            return cell.provider
        case By.EVENT_TYPE:
            return cell.event_type


def _narrowed(selection: Selection, by: By, key: str) -> Selection:
    name = "fingerprint" if by is By.CAUSE else by.value
    return replace(selection, **{name: key})


def _channel(cell: Cell) -> str:
    """The consumer that it is about."""
    if cell.kind == LETTER:
        return consumer_of(cell.place)
    return consumers.name_serving(cell.place)
