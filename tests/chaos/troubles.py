"""The words for what providers, SNS and SQS do wrong, from which a schedule is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOKEN = "token"
"""What the sandbox calls Google's token endpoint, which push asks before it sends."""
PAYMENTS, LOOKUPS = "payments", "payment-lookups"
"""What it calls the payment provider: asked to move money, and asked whether it did."""


@dataclass(frozen=True)
class Behaviour:
    """What a provider does with a send: the sandbox's word and its arguments.

    most: times in a row. Few: five failures in a row open the account's breaker, and each
    failed probe after that doubles the wait for the next.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    most: int = 1

    @property
    def words(self) -> dict[str, Any]:
        return {"behaviour": self.name, **self.arguments}


SINGLES = (
    Behaviour("accept_then_drop", most=2),
    Behaviour("accept_then_drop", most=2),
    Behaviour("delay", {"seconds": 0.7}, most=4),
    Behaviour("delay", {"seconds": 3.0}),  # beyond our patience: accepted, and nobody waits
    Behaviour("throttle", {"retry_after": 1.0}, most=3),
    Behaviour("server_error", {"status": 503}, most=3),
    Behaviour("server_error", {"status": 500}, most=2),
    Behaviour("hang_up", most=2),
    Behaviour("hang"),
)
OUTAGES = (
    Behaviour("server_error", {"status": 503}),
    Behaviour("throttle"),
    Behaviour("hang"),
    Behaviour("hang_up"),
)
REFUSALS: Mapping[str, Behaviour] = {
    "email": Behaviour("refuse", {"code": "MessageRejected"}),
    "sms": Behaviour("refuse", {"code": "ValidationException"}),
    "whatsapp": Behaviour("refuse", {"code": "131026"}),
    "push": Behaviour("refuse", {"code": "INVALID_ARGUMENT"}),
}
"""By channel: what its provider says of a message that it will never take."""
DECLINES = (
    Behaviour("refuse", {"code": "card_declined"}, most=2),
    Behaviour("refuse", {"code": "insufficient_funds"}),
)
"""What the payment provider says of a card that it does not charge."""


@dataclass(frozen=True)
class BrokerTrouble:
    """A fault of the proxy; see `notifications.local.faults.script.Fault`."""

    name: str
    words: Mapping[str, Any]


BATCHES = ("PublishBatch", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
BROKER = (
    BrokerTrouble("errors", {"kind": "error", "status": 503, "probability": 0.6}),
    BrokerTrouble("throttling", {"kind": "throttle", "probability": 0.6}),
    BrokerTrouble("lost answers", {"kind": "hang_up", "when": "after", "probability": 0.4}),
    BrokerTrouble("dropped calls", {"kind": "hang_up", "when": "before", "probability": 0.5}),
    BrokerTrouble("failed entries", {"kind": "partial", "actions": BATCHES, "probability": 0.4}),
    BrokerTrouble(
        "entries said to have failed",
        {"kind": "partial", "when": "after", "actions": BATCHES, "probability": 0.4},
    ),
    BrokerTrouble(
        "half-open polls",
        {"kind": "hang", "when": "after", "actions": ("ReceiveMessage",), "probability": 0.3},
    ),
    BrokerTrouble(
        "half-open publishing", {"kind": "hang", "actions": ("PublishBatch",), "probability": 0.3}
    ),
    BrokerTrouble(
        "half-open deleting", {"kind": "hang", "actions": ("DeleteMessageBatch",), "times": 2}
    ),
)

ALWAYS: tuple[Mapping[str, Any], ...] = (
    # Doubled with p = 0.1, the copy up to 3 s later; and a batch in ten is overtaken by others.
    {"kind": "repeat", "actions": ("PublishBatch",), "probability": 0.1, "seconds": 3.0},
    {"kind": "slow", "actions": ("PublishBatch",), "probability": 0.1, "seconds": 1.0},
)
"""Faults of the proxy that last as long as trouble does."""
