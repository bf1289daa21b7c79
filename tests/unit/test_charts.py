"""Charts: what the picture shows, what it says in words, and the numbers under it."""

from __future__ import annotations

import re

import pytest

from notifications.console.charts import HEIGHT, Chart, Layer, ceiling


def chart(done: list[int | None], failed: list[int | None]) -> Chart:
    labels = [f"14:{minute:02}" for minute in range(len(done))]
    layers = [Layer("done", "good", done), Layer("failed", "bad", failed)]
    return Chart("hour", "Done & failed", labels, layers)


def rectangles(svg: str) -> list[tuple[str, float, float]]:
    """Class, y and height of each."""
    found = re.findall(
        r'class="notifications-chart-(\w+)"[^>]* y="([\d.]+)"[^>]*height="([\d.]+)', svg
    )
    return [(tone, float(y), float(height)) for tone, y, height in found]


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (2, 2), (3, 5), (10, 10), (11, 20), (501, 1000)]
)
def test_the_top_is_a_round_number(value: int, top: int) -> None:
    assert ceiling(value) == top


def test_layers_stand_on_one_another_to_the_height_of_their_sum() -> None:
    shown = chart([6, 0], [2, 10])
    assert shown.top == 10
    assert rectangles(shown.svg) == [
        ("good", HEIGHT * 0.4, HEIGHT * 0.6),
        ("bad", HEIGHT * 0.2, HEIGHT * 0.2),
        ("bad", 0, HEIGHT),
    ]


def test_it_is_said_in_words_and_in_numbers() -> None:
    shown = chart([6, 1_200], [2, 0])
    assert shown.summary == "1,208 in all: done 1,206, failed 2. Most: 1,200 at 14:01."
    assert shown.rows == [("14:01", [1_200, 0]), ("14:00", [6, 2])]
    assert shown.svg.count("<title") == 1 + 3
    assert "14:01: done 1,200" in shown.svg
    assert 'role="img" aria-labelledby="hour-title hour-desc"' in shown.svg


def test_what_nobody_knows_is_no_zero() -> None:
    shown = chart([None, 3], [None, 0])
    assert rectangles(shown.svg)[0] == ("unknown", 0, HEIGHT)
    assert "Grey: nothing is known." in shown.summary
    assert shown.rows[-1] == ("14:00", [None, None])
    assert chart([None], [None]).summary == "Nothing is known of this time."
    assert chart([0, 0], [0, 0]).summary == "Nothing in this time."
    assert chart([], []).svg
    assert chart([], []).ends == ("", "", "")


def test_nothing_in_it_can_be_markup_and_nothing_is_styled_in_place() -> None:
    layers = [Layer("<b>", "good", [1])]
    shown = Chart("hour", "<script>", ["&"], layers).svg
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "style=" not in shown
