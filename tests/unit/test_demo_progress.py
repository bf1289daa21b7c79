"""What the demo shows fits where it is shown, and leaves no state out."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from orders_site.demo.progress import Progress, Snapshot

CHANNELS = ("email", "push", "sms", "whatsapp")


def drawn(deliveries: dict[str, dict[str, int]], *, width: int = 80) -> list[str]:
    addresses = {"admin": "http://127.0.0.1:40000/admin/", "inbox": "http://127.0.0.1:40001/"}
    console = Console(file=StringIO(), width=width)
    console.print(
        Progress(orders_wanted=9, addresses=addresses).draw(Snapshot(9, 9, 9, 9, deliveries))
    )
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_it_fits_into_eighty_characters_with_nothing_cut_short() -> None:
    states = ("sending", "retrying", "sent", "delivered", "skipped", "failed", "unknown")
    lines = drawn({channel: dict.fromkeys(states, 123_456) for channel in CHANNELS})
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert "".join(lines).count("123456") == len(states) * len(CHANNELS)


@pytest.mark.parametrize("state", ["pending", "bounced", "complained", "discarded"])
def test_an_unusual_state_gets_a_column_once_a_delivery_has_it(state: str) -> None:
    assert state not in "".join(drawn({"email": {"sent": 7}}))
    assert state in "".join(drawn({"email": {"sent": 7, state: 1}}))
