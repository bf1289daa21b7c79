"""What SNS and SQS have in common: batches of entries, each with a result of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024
"""Limits of one call, of SNS and SQS alike: bodies and attributes of all its entries together."""

_ATTRIBUTE_TYPE = "String"


@dataclass(frozen=True)
class Entry:
    """One message of a batch. `id` names it within the batch; group and dedup are for FIFO."""

    id: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    dedup: str = ""

    @cached_property
    def size(self) -> int:
        """Bytes that count against the limit: the body, and each attribute's name, type, value."""
        attributes = sum(
            len(name.encode()) + len(_ATTRIBUTE_TYPE) + len(value.encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes

    def request(self, body_name: str) -> dict[str, Any]:
        """The entry as SNS (`body_name` "Message") or SQS ("MessageBody") takes it."""
        request: dict[str, Any] = {
            "Id": self.id,
            body_name: self.body,
            "MessageAttributes": {
                name: {"DataType": _ATTRIBUTE_TYPE, "StringValue": value}
                for name, value in self.attributes.items()
            },
        }
        if self.group:
            request |= {"MessageGroupId": self.group, "MessageDeduplicationId": self.dedup}
        return request


@dataclass(frozen=True)
class Outcome:
    """What became of each entry, by its id: a message id, or what went wrong.

    got_through: False when the call as a whole failed, through no fault of an entry.
    """

    published: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    got_through: bool = True

    @classmethod
    def of(cls, entries: Sequence[Entry], answer: Mapping[str, Any]) -> Outcome:
        """Read the answer of a batch call. What it does not mention has failed."""
        published = {taken["Id"]: taken["MessageId"] for taken in answer.get("Successful", ())}
        failed = {entry.id: "the answer does not mention it" for entry in entries}
        for refused in answer.get("Failed", ()):
            failed[refused["Id"]] = f"{refused['Code']}: {refused.get('Message', '')}"
        return cls(
            published, {name: error for name, error in failed.items() if name not in published}
        )

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            {**self.published, **other.published},
            {**self.failed, **other.failed},
            self.got_through and other.got_through,
        )


def batched(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut into batches that one call may carry, in order. What is too large alone, stays alone."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == MAX_ENTRIES or size + entry.size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
