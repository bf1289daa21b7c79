"""A worker's collector looks at little, so that it looks often."""

from __future__ import annotations

import gc
import weakref

import pytest

from notifications.worker import garbage


def test_what_stays_is_left_out_once() -> None:
    before = gc.get_threshold()  # a worker's app may have been made here
    try:
        garbage.look_seldom()
        seldom = gc.get_threshold()
        garbage.leave_out_what_stays()
        assert gc.get_threshold() < seldom, "from then on it is as usual"
        left_out = gc.get_freeze_count()
        later = [[number] for number in range(1000)]
        garbage.leave_out_what_stays()
        assert 10_000 < gc.get_freeze_count() <= left_out
        assert len(gc.get_objects()) < left_out, "what is looked at is the less"
        assert len(later) == 1000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize(("every", "gone"), [(0.0, True), (60.0, False)])
def test_a_child_of_few_messages_collects_in_time(every: float, *, gone: bool) -> None:
    class Circle:
        def __init__(self) -> None:
            self.self = self

    gc.disable()
    try:
        collector = garbage.Collector(every)
        seen = weakref.ref(Circle())
        collector(sender=None)
        assert (seen() is None) is gone
    finally:
        gc.enable()
