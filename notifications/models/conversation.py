"""Conversation: when somebody wrote to us last over a channel, and whether they said stop."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

_NOTE = """
INSERT INTO notifications_conversation AS known (channel, address_hash, last_inbound_at)
VALUES (%(channel)s, %(hash)s, LEAST(%(at)s, statement_timestamp()))
ON CONFLICT (channel, address_hash) DO UPDATE SET last_inbound_at = EXCLUDED.last_inbound_at
WHERE known.last_inbound_at < EXCLUDED.last_inbound_at
"""
# Of two words of one moment the refusal stands. None is later than now, or it would stand for ever.
_NOTE_WORD = """
WITH said AS (SELECT LEAST(%(at)s, statement_timestamp()) AS at)
UPDATE notifications_conversation AS known SET word = %(word)s, word_at = said.at
FROM said
WHERE known.channel = %(channel)s AND known.address_hash = %(hash)s
  AND (known.word_at IS NULL OR known.word_at < said.at
       OR known.word_at = said.at AND %(word)s = 'opt_out')
"""


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def note(self, channel: str, address_hash: str, at: datetime) -> bool:
        """They wrote at that time. The newest wins, and none is later than now: whether it did.

        Repeated or out of order, it is harmless.
        """
        self._for_write = True
        values: dict[str, Any] = {"channel": channel, "hash": address_hash, "at": at}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_NOTE, values)
            return bool(cursor.rowcount)

    def note_word(
        self, channel: str, address_hash: str, word: Conversation.Word, at: datetime
    ) -> bool:
        """They said this word then, in a conversation that is noted. False: since then another.

        So a "start" that comes late does not undo the "stop" that was written after it.
        """
        self._for_write = True
        values: dict[str, Any] = {
            "channel": channel,
            "hash": address_hash,
            "word": word.value,
            "at": at,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_NOTE_WORD, values)
            return bool(cursor.rowcount)

    def since(
        self, channel: str, address_hashes: Collection[str], moment: datetime
    ) -> models.QuerySet[Conversation]:
        """Those in which somebody at one of these addresses wrote later than that."""
        return self.filter(
            channel=channel, address_hash__in=address_hashes, last_inbound_at__gt=moment
        )


class Conversation(models.Model):
    """One per channel and address; the address itself is not kept, only its keyed hash."""

    class Word(models.TextChoices):
        OPT_OUT = "opt_out", _("stop")
        OPT_IN = "opt_in", _("start")

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=40)
    address_hash = models.CharField(max_length=80)
    last_inbound_at = models.DateTimeField(help_text=_("By the provider's clock."))
    word = models.CharField(
        max_length=8, choices=Word.choices, blank=True, db_default="", help_text=_("Their last.")
    )
    word_at = models.DateTimeField(null=True, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            models.UniqueConstraint(fields=["channel", "address_hash"], name="conversation_once"),
        ]
        indexes = [
            models.Index(fields=["last_inbound_at"], name="conversation_by_last"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.address_hash[:10]}…"
