"""However many look at once, one thread asks, and each has its answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from notifications.shared_look import SharedLook


def test_one_look_answers_all_who_ask_meanwhile_and_for_a_second() -> None:
    looks: list[int] = []
    all_ask = threading.Barrier(9)

    def look() -> str:
        looks.append(1)
        all_ask.wait(5)  # it lasts until everybody has asked
        return "ok"

    question = SharedLook(look, nothing="", fresh=lambda _: 60.0, name="test")

    def ask() -> tuple[str, bool]:
        question.begin()
        all_ask.wait(5)
        return question.take(5)

    with ThreadPoolExecutor(8) as askers:
        assert {each.result() for each in [askers.submit(ask) for _ in range(8)]} == {("ok", True)}
    assert question.take(0) == ("ok", True)
    assert len(looks) == 1
