"""Duty: one recipient to be told of one event over one channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from notifications.accounts import Account
from notifications.channels.base import ChannelAdapter
from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.models.claim import ClaimRequest
from notifications.providers import Provider
from notifications.recipients import Recipient
from notifications.retries import RetryPolicy


@dataclass(frozen=True)
class Duty:
    """Who is to be told what, and how the message that asks for it does it.

    queue: where the message came from, without the prefix; empty outside a worker.
    providers: where the channel has several; `notifications.failover` chooses one, and puts it into
        provider, adapter and account. others: whether there is another, should it not take it.
    """

    envelope: Envelope
    adapter: ChannelAdapter
    channel: str
    route: Route
    recipient: Recipient
    policy: RetryPolicy
    account: Account
    task_id: UUID | str | None
    worker: str
    queue: str = ""
    providers: tuple[Provider, ...] = ()
    provider: str = ""
    others: bool = False

    @property
    def sender(self) -> str:
        """The provider's name as it stands on record; empty while none of several is chosen."""
        return self.provider if self.providers else self.adapter.provider

    def request(self) -> ClaimRequest:
        """Names the delivery to those who ask for its row without claiming it."""
        return ClaimRequest.of(
            self.envelope,
            channel=self.channel,
            route=self.route,
            recipient=self.recipient,
            lease=timedelta(),
            task_id=self.task_id,
            worker=self.worker,
        )
