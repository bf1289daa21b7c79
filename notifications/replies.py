"""Replies: what people write back, of which only two words are heeded: stop, and start again.

The text itself is read once, where it comes in, and kept nowhere.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid5

from django.db import router, transaction
from pydantic import Field

from notifications import suppressions
from notifications.channels.phone_numbers import dialled
from notifications.conf import conf
from notifications.events import EventData
from notifications.identifiers import NAMESPACE
from notifications.models import Conversation, Seen, Suppression

Word = Conversation.Word

# CTIA, Messaging Principles and Best Practices, "Consumer opt-out"; AWS End User Messaging SMS User
# Guide, "Required opt-out list keywords"; Twilio, "Support for opt-out keywords"; and as they are
# written in German. A "yes" (Twilio's third word for starting again) may answer anything.
_WORDS = {
    **dict.fromkeys(
        ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke", "remove"),
        Word.OPT_OUT,
    ),
    **dict.fromkeys(("arret", "arrett", "arrete", "stopp", "td"), Word.OPT_OUT),
    **dict.fromkeys(("start", "unstop"), Word.OPT_IN),
}
_LONGEST_WORD = 40
_BETWEEN = re.compile(r"[\W_]+")

BY = "reply"
"""Who lifts a suppression that its own address asked to be lifted."""

logger = logging.getLogger(__name__)


class Heard(EventData):
    """One message of somebody's as it travels: a keyed hash and, if it was one of them, the word.

    hashes: of who wrote it, under every key there is; the first by the one that writes.
    id: made of the provider's own, the same however often it says it. That itself is left behind:
        Meta writes the sender's number into it.
    occurred_at: by the provider's clock; where it tells none, when it came.
    """

    id: UUID
    channel: Annotated[str, Field(max_length=40)]
    hashes: Annotated[tuple[str, ...], Field(min_length=1)]
    word: Word | None
    occurred_at: datetime

    @property
    def subject(self) -> str:
        return f"reply/{self.id}"


def heard(
    *, channel: str, address: str, text: str, message_id: str, occurred_at: datetime
) -> list[Heard]:
    """One message; none where it does not say who wrote it, or no key is there to hash that."""
    hashes = suppressions.kept_as(dialled(address))
    if not hashes:
        return []
    return [
        Heard(
            id=uuid5(NAMESPACE, f"reply:{channel}|{message_id}"),
            channel=channel,
            hashes=tuple(hashes),
            word=word_of(text),
            occurred_at=occurred_at,
        )
    ]


def word_of(text: str) -> Word | None:
    """Whether the whole of a message is one of the words, however it is spelled.

    "Stop, please" is none: it takes a person to read sentences.
    """
    plain = unicodedata.normalize("NFKD", text[:_LONGEST_WORD]).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _WORDS.get(_BETWEEN.sub("", letters)) if len(text) <= _LONGEST_WORD else None


def hear(message: Heard) -> None:
    """Note that they wrote; heed the word, if it is their last. Said twice, it is heard once."""
    with transaction.atomic(using=router.db_for_write(Conversation)):
        kept = timedelta(days=conf().retention.outcomes)
        if not Seen.objects.first_time(message.id, keep=kept):
            return
        spoken, whose, at = Conversation.objects, message.hashes[0], message.occurred_at
        spoken.note(message.channel, whose, at)
        if message.word and spoken.note_word(message.channel, whose, message.word, at):
            _heed(message)


def _heed(message: Heard) -> None:
    """A start lifts what a stop has made, and nothing else: not a complaint, not an operator's."""
    channel, hashes = message.channel, message.hashes
    if message.word is Word.OPT_OUT:
        suppressions.suppress(
            channel=channel,
            address_hash=hashes[0],
            reason=Suppression.Reason.OPT_OUT_REPLY,
            note=message.subject,
        )
        logger.info("somebody wants nothing more by %s: %s", channel, message.subject)
        return
    stopped = Suppression.objects.of(channel, hashes)
    asked = stopped.filter(reason=Suppression.Reason.OPT_OUT_REPLY)
    if asked.lift(by=BY, reason=message.subject):
        logger.info("somebody wants messages by %s again: %s", channel, message.subject)
