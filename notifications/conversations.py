"""Conversations: whether somebody has written to us lately, so that we may write freely to them.

WhatsApp lets a business send what it likes for a day after a person's last message; outside of
that window only a template that Meta has approved. (Meta, WhatsApp Business Platform, "Customer
service windows".)
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from notifications.channels.phone_numbers import dialled
from notifications.models import Conversation
from notifications.recipients import address_hash, address_hashes

WINDOW = timedelta(hours=24)
"""Meta's customer service window, counted from the person's last message."""


def note_inbound(channel: str, address: str, at: datetime) -> None:
    """They wrote to us from `address` at that time. Repeated or out of order, it is harmless.

    Only the address's keyed hash is kept; without a key (E003) nothing is.
    """
    if hashed := address_hash(dialled(address)):
        Conversation.objects.note(channel, hashed, at)


def window_open(channel: str, address: str, now: datetime | None = None) -> bool:
    """Whether they wrote within the last 24 hours. One indexed statement; finds older keys' too."""
    since = (now or timezone.now()) - WINDOW
    return Conversation.objects.since(channel, address_hashes(dialled(address)), since).exists()
