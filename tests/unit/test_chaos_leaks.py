"""The fault lab's search of the logs finds what it is to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.leaks import leaks

ADDRESSES = ["Ann.Lee+shop@example.org", "+491701234567", "fcm:APA91b-token_of_one_device"]


@pytest.mark.parametrize(
    "line",
    [
        "refused: <ann.lee+shop@example.org>, try later",
        "{'to': '491701234567'}",
        "sent to +491701234567.",
        "token=fcm:APA91b-token_of_one_device;",
    ],
)
def test_an_address_in_a_log_is_found_however_it_stands_there(tmp_path: Path, line: str) -> None:
    log = tmp_path / "worker-mail.log"
    log.write_text(f"ready\n{line}\n")
    assert [*leaks([log], ADDRESSES)] == ["an address stands in worker-mail.log, line 2"]


def test_what_names_nobody_is_none(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text(
        "customer/42 a\u2026@example.org worker-1@host 01a21798-dd87-7c54-9d6d-3cb36a6ab22c"
    )
    assert [*leaks([log], ADDRESSES)] == []
