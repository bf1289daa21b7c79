"""The sandbox, as tests and the demo speak to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx

TIMEOUT = 10.0
"""Seconds."""


@dataclass(frozen=True)
class AcceptedMessage:
    """One message a provider took: `subject` is the event's ("order/1"), `title` its own.

    headers, attachments (their names): of an email.
    """

    channel: str
    address: str = field(repr=False)
    tag: str
    event_type: str
    subject: str
    text: str = field(repr=False)
    title: str = field(repr=False)
    provider_message_id: str
    accepted_at: datetime
    sender: str = field(default="", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Charge:
    """One that was asked for, in minor units; `status` is "succeeded" or "declined"."""

    id: str
    key: str
    reference: str
    amount: int
    currency: str
    refunded: int
    status: str
    code: str
    created_at: datetime


@dataclass(frozen=True)
class Refund:
    """One that was made; `charge` is the charge's id."""

    id: str
    key: str
    charge: str
    amount: int
    created_at: datetime


class SandboxClient:
    """Scripts a running sandbox and reads what it took. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False)

    def reset(self) -> None:
        """Forget everything: messages, counts, script and limits."""
        self._post("/sandbox/reset", {})

    def script(
        self,
        channel: str,
        behaviour: str,
        *,
        address: str | None = None,
        times: int | None = None,
        **arguments: Any,
    ) -> None:
        """What becomes of the next sends; `notifications.channels.script` has the words.

        `address`: of the recipient, or of the sender, where a channel has several. `times`: for
        so many sends, then what is scripted next; without it, from then on.
        """
        self._post(
            "/sandbox/script",
            {
                "channel": channel,
                "behaviour": str(behaviour),
                "address": address,
                "times": times,
                "arguments": arguments,
            },
        )

    def forget_script(self, channel: str) -> None:
        """Accept everything from now on, whatever was scripted and has not been played."""
        self._post("/sandbox/script/forget", {"channel": channel})

    def limit(self, channel: str, per_second: float | None) -> None:
        """Throttle whatever comes faster; None lifts the limit."""
        self._post("/sandbox/limit", {"channel": channel, "per_second": per_second})

    def refuse_currency(self, currency: str) -> None:
        """The payment account does not take it: charges are refused, and leave no trace."""
        self._post("/sandbox/currency", {"currency": currency, "taken": False})

    def take_currency(self, currency: str) -> None:
        """The payment account takes it again."""
        self._post("/sandbox/currency", {"currency": currency, "taken": True})

    def webhook_secret(self, name: str, secret: str) -> None:
        """What is posted to `/webhooks/<name>` must be signed with this, until a reset."""
        self._post("/sandbox/webhooks", {"name": name, "secret": secret})

    def send_receipts(self, *, endpoint: str, topic: str) -> None:
        """Say later what became of each message, to the topic of that ARN, until a reset."""
        self._post("/sandbox/receipts", {"endpoint": endpoint, "topic": topic})

    def script_receipts(
        self, channel: str, kinds: Sequence[str], *, address: str | None = None
    ) -> None:
        """What is said of a message instead of "accepted" and "delivered", in this order; [] is
        nothing. The words are those of `notifications.models.Receipt.Kind`."""
        asked = {"channel": channel, "kinds": list(kinds), "address": address}
        self._post("/sandbox/receipts/script", asked)

    def accepted(self, channel: str | None = None) -> list[AcceptedMessage]:
        """Every message accepted, oldest first."""
        return [_message(row) for page in self._pages(channel) for row in page]

    def charges(self) -> list[Charge]:
        """Every charge that the payment provider knows, oldest first."""
        return [Charge(**row) for row in self._ledger("charge")]

    def refunds(self) -> list[Refund]:
        """Every refund that it made, oldest first."""
        return [Refund(**row) for row in self._ledger("refund")]

    def requests(self, channel: str) -> int:
        """How often the channel was asked, whatever became of it."""
        return int(self.counts()[channel]["requests"])

    def counts(self) -> dict[str, dict[str, Any]]:
        """Per channel: `requests`, `accepted` messages, and `outcomes` of requests by behaviour."""
        counts: dict[str, dict[str, Any]] = self._get("/sandbox/counts")
        return counts

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._get("/health")["status"] == "ok")
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(self, channel: str | None) -> Iterator[list[dict[str, Any]]]:
        after: int | None = 0
        while after is not None:
            page = self._get("/sandbox/accepted", channel=channel or "", after=after)
            yield page["messages"]
            after = page["next"]

    def _ledger(self, table: str) -> Iterator[dict[str, Any]]:
        after: int | None = 0
        while after is not None:
            page = self._get(f"/sandbox/ledger/{table}", after=after)
            for row in page["rows"]:
                del row["number"]
                row["created_at"] = datetime.fromtimestamp(row["created_at"], UTC)
                yield row
            after = page["next"]

    def _get(self, path: str, **query: str | int) -> Any:
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._http.post(path, json=body)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(answer.text)
        answer.raise_for_status()


def _message(row: dict[str, Any]) -> AcceptedMessage:
    return AcceptedMessage(
        channel=row["channel"],
        address=row["address"],
        tag=row["tag"],
        event_type=row["event_type"],
        subject=row["subject"],
        text=row["text"],
        title=row["title"],
        provider_message_id=row["provider_message_id"],
        accepted_at=datetime.fromtimestamp(row["accepted_at"], UTC),
        sender=row["sender"],
        headers=row["headers"],
        attachments=tuple(row["attachments"]),
    )
