"""`Idempotency-Key`: a request that is repeated is done once and answered alike.

The answer is kept in the transaction of what it tells about, so a crash leaves both or neither. A
refusal changed nothing and is not kept: repeated, it is judged anew, and may use its key for a
mended body. While one request is at work, an advisory lock of the transaction says so; it ends
with the process, so nothing has to be cleared away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse

from orders_site.api.exceptions import Fault, Problem
from orders_site.api.models import KeptAnswer
from orders_site.orders.exceptions import OrderError

REPLAYED = "Idempotent-Replayed"
"""The header that tells a kept answer from a fresh one, by Stripe's name."""
HEADER = "Idempotency-Key"
_AT_ONCE = 3


@dataclass(frozen=True)
class Answer:
    """What a request is answered with: JSON, and where the thing it made can be read."""

    status: int
    body: str
    location: str = ""

    def response(self) -> HttpResponse:
        response = HttpResponse(self.body, status=self.status, content_type="application/json")
        if self.location:
            response["Location"] = self.location
        return response


@dataclass(frozen=True)
class Slot:
    """One key of one client, and what is asked under it (`request`: operation and body)."""

    client: str
    key: str
    request: str

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.request.encode()).digest()

    @property
    def digest(self) -> bytes:
        """Of client and key: its first half is the row's id, half of the rest the lock's number."""
        return hashlib.sha256(f"{self.client}\n{self.key}".encode()).digest()

    @property
    def id(self) -> UUID:
        return UUID(bytes=self.digest[:16])

    @property
    def lock(self) -> int:
        return int.from_bytes(self.digest[16:24], signed=True)


class _Overtaken(Exception):
    """Another request of this key committed between our look and our lock."""


def answer_once(slot: Slot | None, work: Callable[[], Answer]) -> HttpResponse:
    """Do `work` in a transaction, unless it was done under this key. Without a key: do it.

    Raises Problem: 422 where the key was used for something else, 409 while it is at work.
    """
    if slot is None:
        with transaction.atomic():
            return work().response()
    for _ in range(_AT_ONCE):
        try:
            with transaction.atomic():
                return _answer(slot, work)
        except _Overtaken:
            continue
    raise _in_progress(slot)


def _answer(slot: Slot, work: Callable[[], Answer]) -> HttpResponse:
    locked, kept = KeptAnswer.objects.find(slot.id, lock=slot.lock)
    if kept is not None:
        return _replay(slot, kept)
    if not locked:
        raise _in_progress(slot)
    try:
        answer = work()
    except (OrderError, Problem):
        _refused_only_if_first(slot)
        raise
    _keep(slot, answer)
    return answer.response()


def _refused_only_if_first(slot: Slot) -> None:
    """Who was overtaken finds the order shipped or cancelled already, by its own first request."""
    _, kept = KeptAnswer.objects.find(slot.id, lock=slot.lock)
    if kept is not None:
        raise _Overtaken from None


def _replay(slot: Slot, kept: KeptAnswer) -> HttpResponse:
    if bytes(kept.fingerprint) != slot.fingerprint:
        fault = Fault(HEADER, "was used for another request within the last 24 hours")
        raise Problem(
            422, "key_reused", "This Idempotency-Key belongs to another request.", [fault]
        )
    response = Answer(kept.status, kept.body, kept.location).response()
    response[REPLAYED] = "true"
    return response


def _keep(slot: Slot, answer: Answer) -> None:
    kept = KeptAnswer(
        id=slot.id,
        client=slot.client,
        key=slot.key,
        fingerprint=slot.fingerprint,
        status=answer.status,
        body=answer.body,
        location=answer.location,
    )
    if not KeptAnswer.objects.keep(kept):
        raise _Overtaken


def _in_progress(slot: Slot) -> Problem:
    fault = Fault(HEADER, "its first request is still at work")
    return Problem(
        409,
        "in_progress",
        "The first request with this Idempotency-Key is still at work; repeat it later.",
        [fault],
        headers={"Retry-After": "1"},
    )
