"""Erasure: a person is forgotten, wherever this app has kept something of them.

| where | what goes | what stays |
|---|---|---|
| deliveries | address, its hash, errors, edits | when they were told what; a proof (`proofs`) |
| those still open | the duty: discarded as `forgotten` | |
| texts that they were sent | the rows | |
| attempts, receipts | what the provider said | code, time, the provider's own id, unless that |
| | | tells the number (Meta's do) |
| dead letters, dispatches, inbox, jobs about their events | errors | the rest: ids and facts |
| what is scheduled about the same | errors, operators' words | it: `FORGET` may call it off |
| dead letters, and jobs about them alone | the operators' words | who did what, when |
| dead letters that hold an address | the body; discarded if open | that there was one |
| preferences and consents | the rows | |
| suppressions | the masked address, the note | the hash: they are not to be written to again |
| conversations | the rows | |
| jobs begun from a search for them | its address' hash, the id that tells a number | the rest |
| failed tasks of their messages | the row | |
| audit entries about them | the reason | who did what, when; a hash of the person |

The shop's own tables are the shop's: NOTIFICATIONS["FORGET"] is asked first, in the same
transaction as the first rows. Events hold ids alone, and stay.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.models.functions import Replace
from django.utils.module_loading import import_string

from notifications import audit, proofs, suppressions
from notifications.conf import conf
from notifications.models import (
    Attempt,
    AuditEntry,
    Consent,
    Conversation,
    DeadLetter,
    Delivery,
    Dispatch,
    Erasure,
    Handled,
    Job,
    JobEntry,
    JobItem,
    Preference,
    Receipt,
    RenderedContent,
    ScheduledEvent,
    Suppression,
)
from notifications.models.settlement import NAMES_A_NUMBER
from notifications.recipients import address_hash, address_hashes, searched_hashes

FORGOTTEN = AuditEntry.FORGOTTEN
FORGET = "person.forget"
BATCH = 500
"""Deliveries of one transaction."""

LOOK, PATIENCE = 0.05, 30.0
"""Seconds between two looks at who writes to deliveries, and for which they are waited for."""

_ESCAPE = re.compile(r"(\\u)([0-9a-f]{4})")


@dataclass
class Erased:
    """How many rows of each kind. under_way: deliveries whose sender holds them at this moment,
    and which were left to it: forget once more in a minute. waiting: messages of others with an
    address of theirs that are still to be put on a queue: forget once more afterwards, by that
    address."""

    counts: dict[str, int] = field(default_factory=dict)
    under_way: int = 0
    waiting: int = 0

    def add(self, kind: str, rows: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + rows


class SeveralPeople(Exception):
    """What begins with that reference and a slash may be more than one person's."""


def forget(
    *,
    person: str,
    by: str,
    reason: str,
    all_below: bool = False,
    reached_at: Collection[str] = (),
) -> Erased:
    """Erase `person` ("customer/42", with what is sent to "customer/42/…"), and put it on record.

    reached_at: addresses of theirs beside those that their deliveries have. Broken off, it is
    simply done once more. Raises what the shop's hook raises, with nothing done, and SeveralPeople,
    unless `all_below`.
    """
    if not all_below:
        _insist_on_one(person)
    erased = Erased()
    known = _deliveries(person).values_list("address", flat=True)
    addresses = {each for each in (*known, *reached_at) if each}
    with _transaction():
        _ask_the_shop(person)
        _forget_rows(person, addresses, erased)
        _forget_letters_to(addresses, erased)
        record = Erasure.objects.create(person_hash=address_hash(person), by=by, reason=reason)
    _wait_for_claims()
    for batch in _batches(person):
        with _transaction():
            _forget_deliveries(batch, erased)
        with _transaction():  # its own: whoever runs a job holds that first, and then deliveries
            _forget_words_of_jobs(batch, erased)
    with _transaction():
        Erasure.objects.filter(pk=record.pk).update(counts=erased.counts)
        audit.record(FORGET, by=by, reason=reason, target=audit.Person(person), after=erased.counts)
    erased.under_way = _deliveries(person).filter(Delivery.IN_HAND).count()
    return erased


def would_forget(person: str, *, all_below: bool = False) -> Erased:
    """What `forget` would find, as far as it can be counted without doing it. Raises as it does."""
    if not all_below:
        _insist_on_one(person)
    rows = _deliveries(person)
    found = Erased()
    found.add("deliveries", rows.exclude(address="", address_hash="").count())
    found.add("attempts", Attempt.objects.filter(delivery__in=rows).exclude(detail="").count())
    found.add("receipts", Receipt.objects.filter(delivery__in=rows).exclude(detail="").count())
    found.add("texts", RenderedContent.objects.filter(delivery__in=rows).count())
    wishes = Preference.objects.filter(person=person).count()
    found.add("preferences", wishes + Consent.objects.filter(person=person).count())
    found.under_way = rows.filter(Delivery.IN_HAND).count()
    return found


def erasures_of(person: str) -> models.QuerySet[Erasure]:
    """When somebody of this reference was forgotten, the latest first."""
    return Erasure.objects.filter(person_hash__in=address_hashes(person)).order_by("-id")


def proven(person: str, address: str) -> Iterator[Delivery]:
    """What a person, forgotten or not, was sent to this address; the oldest first."""
    hashes = set(address_hashes(address))
    for delivery in _deliveries(person).exclude(sent_at=None).order_by("created_at").iterator():
        kept = delivery.address_hash
        if kept in hashes or proofs.confirms(kept, delivery.pk, address):
            yield delivery


def _insist_on_one(person: str) -> None:
    """Not "customer" where "customer/42" was meant: there is no way back. Who is named just so by a
    delivery or a preference is somebody; else all that is below must go on in the same way."""
    rows = _deliveries(person)
    wishes = Preference.objects.using(rows.db).filter(person=person)
    if rows.filter(recipient=person).exists() or wishes.exists():
        return
    ends = (rows.order_by(order).values_list("recipient", flat=True)[:1] for order in _BOTH_ENDS)
    below = {each.removeprefix(f"{person}/").partition("/")[0] for found in ends for each in found}
    if len(below) > 1:
        raise SeveralPeople(
            f"nobody is named {person}, and below it there are {' and '.join(sorted(below))}"
        )


_BOTH_ENDS = ("recipient", "-recipient")


def _wait_for_claims() -> None:
    """Until all are over that may not have seen the erasure: those who write to the table now.

    Race: they were told by the shop who is to be told before it forgot them. Who comes later sees
    it (`notifications.models.claim`).
    """
    using = router.db_for_write(Delivery)
    writers, deadline = _writers(using), time.monotonic() + PATIENCE
    while writers and time.monotonic() < deadline:
        time.sleep(LOOK)
        writers &= _writers(using)


def _writers(using: str) -> set[str]:
    """A statement takes this lock before it looks at any row."""
    with connections[using].cursor() as cursor:
        cursor.execute(_WRITERS, [Delivery._meta.db_table])
        return {transaction for (transaction,) in cursor.fetchall()}


_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = %s::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _deliveries(person: str) -> models.QuerySet[Delivery]:
    theirs = models.Q(recipient=person) | models.Q(recipient__startswith=f"{person}/")
    return Delivery.objects.using(router.db_for_write(Delivery)).filter(theirs)


def _batches(person: str) -> Iterator[list[UUID]]:
    """Their deliveries' ids that nobody is sending just now."""
    at_rest = _deliveries(person).exclude(Delivery.IN_HAND).order_by("pk")
    last: UUID | None = None
    while batch := list(_after(at_rest, last).values_list("pk", flat=True)[:BATCH]):
        yield batch
        last = batch[-1]


def _after(rows: models.QuerySet[Delivery], last: UUID | None) -> models.QuerySet[Delivery]:
    return rows if last is None else rows.filter(pk__gt=last)


def _ask_the_shop(person: str) -> None:
    if path := conf().forget:
        cast(Any, import_string(path))(person)


def _forget_rows(person: str, addresses: set[str], erased: Erased) -> None:
    """What is kept of the person beside what they were told."""
    using = router.db_for_write(Delivery)
    wishes = Preference.objects.using(using).filter(person=person).delete()[0]
    wishes += Consent.objects.using(using).filter(person=person).delete()[0]
    erased.add("preferences", wishes)
    hashes = {found for address in addresses for found in suppressions.hashes(address)}
    listed = Suppression.objects.using(using).filter(address_hash__in=hashes)
    spoken = Conversation.objects.using(using).filter(address_hash__in=hashes)
    erased.add("conversations", spoken.delete()[0])
    erased.add("suppressions", listed.exclude(hint="", note="").update(hint="", note=""))
    _forget_in_filters({found for each in addresses for found in searched_hashes(each)}, erased)
    _forget_scheduled({person}, erased)
    named = models.Q()
    for name in (person, *addresses):
        named |= audit.about(name)
    _forget_reasons(audit.PERSON, named & ~models.Q(action=FORGET), erased)
    _forget_reasons("suppression", _are(listed.values_list("pk", flat=True)), erased)


def _forget_deliveries(ids: list[UUID], erased: Erased) -> None:
    # Race: a worker may have claimed one since the batch was read. It is locked or left alone.
    held = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=ids)
    rows = list(held.exclude(Delivery.IN_HAND).locked())
    for row in rows:
        Delivery.objects.erase(row, proof=_proof_of(row), reason=FORGOTTEN)
    gone = [row.pk for row in rows]
    erased.add("deliveries", len(gone))
    attempts = Attempt.objects.filter(delivery__in=gone)
    Attempt.objects.leave_unknown(gone)
    erased.add("failed tasks", _forget_tasks(attempts))
    erased.add("attempts", attempts.exclude(detail="").update(detail=""))
    receipts = Receipt.objects.filter(delivery__in=gone)
    erased.add("receipts", receipts.exclude(detail="").update(detail=""))
    for told_by in (Delivery.objects.filter(pk__in=gone), attempts, receipts):
        named: models.QuerySet[Any] = told_by
        telling = named.filter(provider_message_id__startswith=NAMES_A_NUMBER)
        _forget_in_filters(set(telling.values_list("provider_message_id", flat=True)), erased)
        telling.update(provider_message_id="")
    erased.add("texts", RenderedContent.objects.filter(delivery__in=gone).delete()[0])
    events = {row.event_id for row in rows}
    letters = DeadLetter.objects.filter(event_id__in=events)
    erased.add("dead letters", letters.exclude(error="").update(error=""))
    worded = letters.exclude(change_reason="").exclude(changed_by=FORGOTTEN)
    worded.update(change_reason=FORGOTTEN)
    _forget_reasons("delivery", _are(gone), erased)
    _forget_reasons("deadletter", _are(letters.values_list("pk", flat=True)), erased)
    erased.add("jobs' items", _forget_in_jobs(gone, events))
    for told in (Dispatch, Handled):
        of_them = told.objects.filter(event_id__in=events)
        of_them.exclude(last_error="").update(last_error="")
    _forget_scheduled({row.subject for row in rows}, erased)


def _forget_scheduled(subjects: set[str], erased: Erased) -> None:
    """It holds ids alone, and goes on: services may need it, and nobody is left to be told."""
    using = router.db_for_write(ScheduledEvent)
    rows = ScheduledEvent.objects.using(using).filter(subject__in=subjects)
    rows.exclude(error="").update(error="")
    _forget_reasons("scheduledevent", _are(rows.values_list("pk", flat=True)), erased)


def _forget_reasons(kind: str, which: models.Q, erased: Erased) -> None:
    """Of what operators did about them: in their own words, which may name anybody."""
    entries = AuditEntry.objects.using(router.db_for_write(AuditEntry)).filter(target_kind=kind)
    erased.add("audit entries", entries.filter(which).forget_reasons())


def _are(ids: Iterable[Any]) -> models.Q:
    return models.Q(target__in=[str(each) for each in ids])


def _forget_in_jobs(gone: list[UUID], events: set[UUID]) -> int:
    """Why a resend or redrive of theirs failed again is their delivery's error, in its log too."""
    about = models.Q(delivery__in=gone) | models.Q(event_id__in=events)
    items = JobItem.objects.filter(about, outcome=JobItem.Outcome.FAILED).exclude(why="")
    for job, why in items.values_list("job_id", "why"):
        JobEntry.objects.filter(job_id=job, text__contains=why).update(
            text=Replace("text", models.Value(why), models.Value(FORGOTTEN))
        )
    return items.update(why="")


def _forget_words_of_jobs(ids: list[UUID], erased: Erased) -> None:
    """Why an operator began one, paused it or went on with it, where it is about nobody else."""
    rows = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=ids)
    events = set(rows.values_list("event_id", flat=True))
    letters = DeadLetter.objects.filter(event_id__in=events).values_list("pk", flat=True)
    about = models.Q(delivery__in=ids) | models.Q(event_id__in=events)
    items = JobItem.objects.filter(about | models.Q(dead_letter__in=list(letters)))
    counted = dict(items.order_by().values_list("job_id").annotate(models.Count("pk")))
    totals = Job.objects.filter(pk__in=counted).values_list("pk", "total")
    alone = [pk for pk, total in totals if total == counted[pk]]
    Job.objects.filter(pk__in=alone).update(reason=FORGOTTEN)
    for entry in JobEntry.objects.filter(job__in=alone).exclude(by=""):
        done, colon, _why = entry.text.partition(": ")
        if colon:
            entry.text = f"{done}: {FORGOTTEN}"
            entry.save(update_fields=["text"])
    _forget_reasons("job", _are(alone), erased)


def _forget_in_filters(names: set[str], erased: Erased) -> None:
    """By which deliveries were searched for, and then mended by a job, which keeps its filter."""
    if not names:
        return
    for job in Job.objects.filter(filter__has_key="named").only("filter"):
        searched = job.filter["named"]  # of what is typed it holds every meaning: "order/<name>"
        kept = [each for each in searched if not any(name in each for name in names)]
        if len(kept) < len(searched):
            job.filter["named"] = [*kept, f"person:{FORGOTTEN}"]
            job.save(update_fields=["filter"])
            erased.add("jobs' filters", 1)


def _proof_of(row: Delivery) -> str:
    """A proof that was made before stays; of what was never sent there is none."""
    if row.address_hash.startswith(proofs.PREFIX):
        return row.address_hash
    return proofs.prove(row.pk, row.address) if row.sent_at else ""


def _forget_tasks(attempts: models.QuerySet[Attempt]) -> int:
    if not apps.is_installed("django_celery_results"):
        return 0
    from django_celery_results.models import TaskResult

    ids = attempts.exclude(task_id=None).values_list("task_id", flat=True).distinct()
    return TaskResult.objects.filter(task_id__in=[str(each) for each in ids]).delete()[0]


def _forget_letters_to(addresses: set[str], erased: Erased) -> None:
    """Bodies that another publisher filled with what belongs into none."""
    spelled = sorted({each for address in addresses for each in _spellings(address)})
    with_it = DeadLetter.objects.with_any(spelled)
    erased.add("dead letters", with_it.wipe(by=FORGOTTEN, reason="its body held an address"))
    redriven = Dispatch.objects.with_any(spelled)
    published = Dispatch.State.PUBLISHED
    redriven.filter(state=published).update(body="", attributes={})
    erased.waiting = redriven.exclude(state=published).count()


def _spellings(address: str) -> set[str]:
    """As the shop writes it and as providers do: Meta's receipts leave the plus of a number out.
    And as JSON does that keeps to ASCII."""
    plain = {address, address.lower(), address.removeprefix("+")}
    escaped = {json.dumps(each)[1:-1] for each in plain}
    capital = {_ESCAPE.sub(lambda it: it[1] + it[2].upper(), each) for each in escaped}
    return plain | escaped | capital


def _transaction() -> Any:
    return transaction.atomic(using=router.db_for_write(Delivery))
