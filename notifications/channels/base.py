"""What every adapter is: it hands a Message to its provider and gives back what that one said.

For whoever writes the next one: translate every answer of the provider into the tree
of `notifications.exceptions` (nobody else looks at provider codes); send once, with a
connect and a read timeout and no retry of the library's own, so that the attempt log
tells the truth; put no address and no credential into an error's text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifications.exceptions import NotificationError

CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 10.0
"""Seconds; adapters take both as options. Their sum must stay below the consumer's max_seconds."""


@dataclass(frozen=True)
class Content:
    """What a template renders to. A channel uses the fields it knows: an SMS only `text`.

    template: the provider's own template and what goes into it, where it has such (WhatsApp:
        name, language and components as Meta's API takes them).
    """

    text: str
    subject: str = ""
    html: str = ""
    template_version: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    """A file that goes with an email. media_type: such as "application/pdf"."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Message:
    """One attempt, ready to be handed to a provider.

    tag: "<delivery id>.<generation>.<attempt>", attached so that receipts find their way back.
    idempotency_key: "<delivery id>.<generation>", for providers that take one.
    event_type, subject: attached where the provider has room for them.
    headers: of an email, besides those that the adapter writes itself (List-Unsubscribe, say).
    attachments: of an email.
    reference: the recipient's, for an adapter that keeps something about them.
    """

    address: str = field(repr=False)
    content: Content = field(repr=False)
    tag: str
    idempotency_key: str
    event_type: str
    subject: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    attachments: tuple[Attachment, ...] = ()
    reference: str = ""


@dataclass(frozen=True)
class Accepted:
    """The provider took it. `provider_message_id` is its own name for the message."""

    provider_message_id: str
    detail: str = ""


@dataclass(frozen=True)
class AwsRight:
    """IAM actions of one service ("ses:SendEmail"), and on what of our account and region: the ends
    of ARNs ("identity/*")."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


class ChannelAdapter(ABC):
    """One provider of one channel. Made once per process, used from many threads."""

    provider: str

    operation: str = "send"
    """What the provider calls that which `send` asks of it, as attempts tell it."""

    tells_people: bool = True
    """False where it is partners' systems that are told: an objective (NOTIFICATIONS["OBJECTIVES"])
    does not count these unless it names the channel."""

    tells_bounces: bool = True
    """False where no receipt ever says that an address takes nothing: nothing to be woken for."""

    gone: frozenset[str] = frozenset()
    """The codes of a PermanentError by which the provider says that the address is nobody's any
    more: the shop is told (NOTIFICATIONS["ADDRESS_GONE"])."""

    aws_rights: tuple[AwsRight, ...] = ()
    """What IAM must allow whoever sends (`notifications.roles`)."""

    @abstractmethod
    def send(self, message: Message) -> Accepted:
        """Hand over once: TransientError, PermanentError, ProviderPaused or OutcomeUnknown; Busy
        when this recipient is to be left alone for now, and was not asked.

        An error that says nothing of the account, and of this recipient only, is `of_recipient`.
        """

    def check_address(self, address: str) -> None:  # noqa: B027 - for who takes any
        """Raises PermanentError when nothing can be sent there: its code is why it is skipped.

        Asked before anything is rendered; `send` may be given such an address all the same.
        """

    def note(self, reference: str, error: NotificationError | None) -> None:  # noqa: B027
        """How a send to the recipient of this reference ended, once that is on record: None when
        it was accepted, else an error `of_recipient`. For an adapter that keeps account of them."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Make what a send needs and the first one would wait for: a client, an access token.

        Called before a send waits for its turn, which would pass meanwhile; so the second time
        it must cost nothing. What it raises is not heard: the send will say it.
        """

    def suited(self, message: Message) -> Message:
        """The message as it will be handed over, where that depends on what is on record (whether
        somebody wrote to us lately, say). Called before a send waits for its turn; it may ask the
        database, once. PermanentError where nothing may be sent."""
        return message

    def weight(self, message: Message) -> int:
        """The units of the account's rate limit that sending it costs: an SMS's parts, say."""
        return 1


def longest_send(options: Mapping[str, Any]) -> float:
    """Seconds that a send may take at most, of an adapter that is made with these options."""
    connect: float = options.get("connect_timeout", CONNECT_TIMEOUT)
    read: float = options.get("read_timeout", READ_TIMEOUT)
    return connect + read
