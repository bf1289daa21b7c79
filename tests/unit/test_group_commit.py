"""Group commit: who writes for whom, and what each gets back. The statement is the test's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from notifications.group_commit import GroupCommit
from tests.waiting import wait_for

POISON = -1


class Ledger:
    """Writes numbers and answers with their squares; the first statement waits until `opened`."""

    def __init__(self, *, closed: bool = False, **options: int) -> None:
        self.statements: list[list[int]] = []
        self.opened = threading.Event()
        if not closed:
            self.opened.set()
        self.group: GroupCommit[int, int] = GroupCommit(self, key=abs, **options)

    def __call__(self, items: Sequence[int], /, *, using: str) -> Mapping[Hashable, int]:
        self.statements.append(list(items))
        if len(self.statements) == 1:
            self.opened.wait(timeout=20)
        if POISON in items:
            raise ValueError("poisoned")
        return {abs(item): item * item for item in items if len(items) == 1 or item != 13}

    def write(self, item: int) -> int:
        return self.group.write(item, using="default")

    @contextmanager
    def written_by_threads(self, *items: int) -> Iterator[list[Future[int]]]:
        """The first of them leads; the rest have gathered behind it, in order, on entry."""
        with ThreadPoolExecutor(len(items)) as pool:
            futures = [pool.submit(self.write, items[0])]
            wait_for(lambda: self.statements, within=5)
            for count, item in enumerate(items[1:], start=1):
                futures.append(pool.submit(self.write, item))
                wait_for(lambda: len(self._waiting) == count, within=5)  # noqa: B023
            try:
                yield futures
            finally:
                self.opened.set()

    @property
    def _waiting(self) -> list[object]:
        return self.group._lines["default"]._waiting  # type: ignore[return-value]


def test_alone_a_call_is_written_at_once() -> None:
    ledger = Ledger()

    assert [ledger.write(2), ledger.write(3)] == [4, 9]
    assert ledger.statements == [[2], [3]]


def test_those_who_gather_while_one_writes_are_written_by_one_statement() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2, 3, 4) as futures:
        ledger.opened.set()

    assert [future.result() for future in futures] == [1, 4, 9, 16]
    assert ledger.statements == [[1], [2, 3, 4]]


def test_a_statement_holds_no_more_than_it_may() -> None:
    ledger = Ledger(closed=True, most=2)

    with ledger.written_by_threads(1, 2, 3, 4) as futures:
        ledger.opened.set()

    assert [future.result() for future in futures] == [1, 4, 9, 16]
    assert ledger.statements == [[1], [2, 3], [4]]


def test_two_about_the_same_thing_never_meet_in_a_statement() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2, -2, 3) as futures:
        ledger.opened.set()

    assert [future.result() for future in futures] == [1, 4, 4, 9]
    assert ledger.statements == [[1], [2, 3], [-2]]


def test_one_that_fails_fails_alone() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(5, 2, POISON, 3) as futures:
        ledger.opened.set()

    with pytest.raises(ValueError, match="poisoned"):
        futures[2].result()
    assert [futures[number].result() for number in (0, 1, 3)] == [25, 4, 9]
    assert ledger.statements[:2] == [[5], [2, POISON, 3]]
    assert sorted(ledger.statements[2:]) == [[POISON], [2], [3]]


def test_one_that_was_left_out_is_written_alone() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2, 13) as futures:
        ledger.opened.set()

    assert [future.result() for future in futures] == [1, 4, 169]
    assert ledger.statements == [[1], [2, 13], [13]]


def test_an_error_of_the_one_who_writes_alone_leaves_the_lead_to_the_next() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(POISON, 2) as futures:
        ledger.opened.set()

    assert isinstance(futures[0].exception(), ValueError)
    assert futures[1].result() == 4


def test_nobody_waits_long_for_a_statement_that_stands_still() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2, 3) as futures:
        assert [future.result(timeout=10) for future in futures[1:]] == [4, 9]
        assert not futures[0].done()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2):
        child = os.fork()
        if not child:
            os._exit(0 if ledger.write(7) == 49 else 1)
        ended: list[int] = []

        def has_ended() -> bool:
            pid, status = os.waitpid(child, os.WNOHANG)
            ended.extend([status] if pid else [])
            return bool(pid)

        wait_for(has_ended, within=5)

    assert ended == [0]


@pytest.mark.django_db
def test_within_a_transaction_everybody_writes_for_themselves() -> None:
    ledger = Ledger(closed=True)

    with ledger.written_by_threads(1, 2):
        assert ledger.write(3) == 9  # on the connection of this transaction, waiting for nobody

    assert ledger.statements == [[1], [3], [2]]


def test_the_most_of_one_is_no_company() -> None:
    ledger = Ledger(closed=True, most=1)

    with ThreadPoolExecutor(2) as pool:
        stands_still = pool.submit(ledger.write, 1)
        wait_for(lambda: ledger.statements, within=5)
        assert pool.submit(ledger.write, 2).result(timeout=5) == 4
        ledger.opened.set()
        assert stands_still.result() == 1
