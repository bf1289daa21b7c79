"""What a worker makes of a message, once the database was restored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifications.models import Restoration
from notifications.restorations import doubt

RESTORED = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

RESTORATION = Restoration(
    at=RESTORED, covers_since=RESTORED - timedelta(days=15), untouched_before=RESTORED - MINUTE
)


@pytest.mark.parametrize(
    ("sent", "receives", "ordered", "doubted"),
    [
        pytest.param(-3 * MINUTE, 1, None, False, id="it lay in SQS and nobody had it"),
        pytest.param(-3 * MINUTE, 2, None, True, id="somebody had it, and what they did is lost"),
        pytest.param(-MINUTE / 2, 1, None, True, id="too near, as two clocks go"),
        pytest.param(MINUTE, 1, None, True, id="published once more, or replayed"),
        pytest.param(2 * MINUTE, 1, MINUTE, False, id="ordered by a person, knowing of it"),
        pytest.param(2 * MINUTE, 5, MINUTE, False, id="and received again since"),
        pytest.param(MINUTE, 1, -3 * MINUTE, True, id="ordered before, and published once more"),
        pytest.param(-3 * MINUTE, 2, -4 * MINUTE, True, id="ordered before, and somebody had it"),
    ],
)
def test_what_may_have_been_done_is_doubted(
    sent: timedelta, receives: int, ordered: timedelta | None, doubted: bool
) -> None:
    found = doubt(
        [RESTORATION],
        sent_at=RESTORED + sent,
        receives=receives,
        ordered_at=None if ordered is None else RESTORED + ordered,
    )
    assert found is doubted


def test_each_restoration_that_covers_it_may_doubt_it() -> None:
    later = Restoration(
        at=RESTORED + timedelta(hours=1),
        covers_since=RESTORATION.covers_since,
        untouched_before=RESTORED + timedelta(minutes=59),
    )
    between = RESTORED + timedelta(minutes=30)
    assert doubt([RESTORATION, later], sent_at=between, receives=2, ordered_at=between)
