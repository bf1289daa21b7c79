"""The sandbox itself: for each send it decides, keeps and counts. The protocols are elsewhere."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from uuid import uuid4

from notifications.channels.script import Behaviour, Script, Step
from notifications.local.providers.receipt_forms import Taken
from notifications.local.providers.receipts import Receipts
from notifications.local.providers.store import Incoming, Store

CHANNELS = ("email", "sms", "whatsapp", "push", "webhook")
TOKEN = "token"  # noqa: S105 - the OAuth2 endpoint, scripted and counted like a channel
PAYMENTS, LOOKUPS = "payments", "payment-lookups"
"""The payment provider: requests that move money, and those that ask what became of one."""
SCRIPTED = (*CHANNELS, TOKEN, PAYMENTS, LOOKUPS)
REFUSALS = frozenset(
    {
        Behaviour.THROTTLE,
        Behaviour.SERVER_ERROR,
        Behaviour.REFUSE,
        Behaviour.HANG_UP,
        Behaviour.HANG,
    }
)


class RateLimit:
    """At most `per_second` in any second (a sliding window, not a bucket: no burst beyond it)."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._window = max(1.0, 1.0 / per_second)
        self._taken: deque[float] = deque(maxlen=max(1, math.floor(per_second)))

    def wait(self) -> float:
        """0.0 when there is room, and it is taken; otherwise the seconds until there is some."""
        now = time.monotonic()
        if len(self._taken) == self._taken.maxlen:
            wait = self._taken[0] + self._window - now
            if wait > 0:
                return wait
        self._taken.append(now)
        return 0.0


class Sandbox:
    """The state of one sandbox. Everything runs on the server's event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = store.ledger
        self.script = Script()
        self.receipts = Receipts()
        self.limits: dict[str, RateLimit] = {}
        self.refused_currencies: set[str] = set()
        self.webhook_secrets: dict[str, str] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.edition = str(uuid4())  # another after each reset: the page then starts over

    def decide(self, channel: str, address: str, sender: str = "") -> Step:
        """What happens to this send: the script first, then the rate limit."""
        step = self.script.next(channel, address, sender)
        limit = self.limits.get(channel)
        if limit is not None and step.behaviour not in REFUSALS and (wait := limit.wait()):
            step = Step(Behaviour.THROTTLE, retry_after=wait)
        self.outcomes[channel, step.behaviour.value] += 1
        return step

    def malformed(self, channel: str) -> None:
        """Count a request that no provider would have understood."""
        self.outcomes[channel, "malformed"] += 1

    def refused(self, channel: str) -> None:
        """Count a request that the account, as it is set up, does not allow."""
        self.outcomes[channel, Behaviour.REFUSE.value] += 1

    def replayed(self, channel: str) -> None:
        """Count a request that got the answer of the one before it under the same key."""
        self.outcomes[channel, "replayed"] += 1

    def accept(self, channel: str, incoming: Incoming, edition: str = "") -> str:
        """Keep it, and say so later. Returns the id that the provider gives it.

        edition: of when it came, where it had to wait; a reset meanwhile has forgotten it, too.
        """
        provider_message_id = str(uuid4())
        if edition and edition != self.edition:
            return provider_message_id
        self.store.add(channel, incoming, provider_message_id)
        self.receipts.after(channel, Taken(incoming, provider_message_id, time.time()))
        return provider_message_id

    def limit(self, channel: str, per_second: float | None) -> None:
        """Enforce a rate from now on; None lifts it."""
        if per_second is None:
            self.limits.pop(channel, None)
        else:
            self.limits[channel] = RateLimit(per_second)

    def counts(self) -> dict[str, dict[str, object]]:
        """Per channel: requests, what became of them, and messages accepted."""
        return {channel: self._counts_of(channel) for channel in SCRIPTED}

    def reset(self) -> None:
        self.script.clear()
        self.receipts.clear()
        self.limits.clear()
        self.refused_currencies.clear()
        self.webhook_secrets.clear()
        self.outcomes.clear()
        self.store.clear()
        self.edition = str(uuid4())

    def _counts_of(self, channel: str) -> dict[str, object]:
        outcomes = {name: n for (of, name), n in self.outcomes.items() if of == channel}
        return {
            "requests": sum(outcomes.values()),
            "accepted": self._accepted(channel),
            "outcomes": outcomes,
        }

    def _accepted(self, channel: str) -> int:
        if channel == PAYMENTS:
            return self.ledger.count("charge") + self.ledger.count("refund")
        return self.store.counts.get(channel, 0)
