"""Refusals: that an address is suppressed, or a person does not want this kind of news."""

from __future__ import annotations

from django.db import router

from notifications import preferences, suppressions
from notifications.events import EventType
from notifications.models import Delivery
from notifications.models.refusal import Question, refusals
from notifications.recipients import Recipient

SUPPRESSED = "suppressed"
"""The reason why a delivery is skipped, a colon and why its address is suppressed behind it."""

UNWANTED = "unwanted"
"""The reason why a delivery is skipped whose recipient does not want such news over its channel."""


def refusal(kind: EventType, recipient: Recipient, channel: str) -> str:
    """Why `recipient` is not to be told of an event of this kind over `channel`; or nothing.

    One statement, in company with those of other threads: it looks at both. What is transactional
    is told whatever the person prefers, but to no suppressed address; and a machine prefers
    nothing. Raises UnknownCategory.
    """
    category = preferences.category_of(kind.category)
    anyway = category.transactional or channel in preferences.TO_NOBODY
    question = Question(
        recipient.who,
        "" if anyway else kind.category,
        channel,
        tuple(suppressions.hashes(recipient.address)),
    )
    found = refusals.write(question, using=router.db_for_write(Delivery))
    if found.suppressed:
        return f"{SUPPRESSED}: {found.suppressed}"
    return "" if anyway or preferences.applies(category, found.wanted) else UNWANTED
