"""Who is given to the pool, and who waits, when consumers share it."""

from __future__ import annotations

import itertools

import pytest

from notifications.worker.bulkhead import Bulkhead
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received

_numbers = itertools.count()


def message(consumer: str, *, bulk: bool = False) -> Received:
    name = f"{consumer}-bulk" if bulk else consumer
    queue = PolledQueue(
        name=name,
        physical=f"test-{name}",
        consumer=consumer,
        task=f"test.{consumer}",
        dead_letters=f"test-{consumer}-dlq",
        visibility_timeout=60,
        bulk=bulk,
    )
    return Received.of(queue, {"MessageId": "m", "ReceiptHandle": f"{name}-{next(_numbers)}"})


def messages(consumer: str, count: int, *, bulk: bool = False) -> list[Received]:
    return [message(consumer, bulk=bulk) for _ in range(count)]


class Pool:
    """What it was given, in order, and how many tasks it runs at once."""

    def __init__(self, *consumers: str, places: int | None = 4) -> None:
        self.places = places
        self.given: list[Received] = []
        known = None if places is None else lambda: self.places or 0
        self.bulkhead = Bulkhead(self.given.extend, known)
        for consumer in consumers:
            self.bulkhead.watch(consumer)


def test_a_consumer_that_is_alone_has_the_whole_pool_and_more() -> None:
    pool = Pool("email")
    pool.bulkhead.put("email", brought := messages("email", 10))
    assert pool.given == brought


def test_of_two_neither_has_more_than_half() -> None:
    pool = Pool("email", "sms")
    pool.bulkhead.put("sms", sms := messages("sms", 10))
    pool.bulkhead.put("email", email := messages("email", 10))
    assert pool.given == [*sms[:2], *email[:2]]


def test_what_is_settled_makes_room_for_the_next_of_its_consumer_only() -> None:
    pool = Pool("email", "sms")
    pool.bulkhead.put("sms", sms := messages("sms", 4))
    pool.bulkhead.put("email", email := messages("email", 4))
    pool.bulkhead.gone(email[0])
    assert pool.given == [*sms[:2], *email[:3]]


def test_fresh_messages_go_before_bulk_ones_that_came_earlier() -> None:
    pool = Pool("email", "sms")
    pool.bulkhead.put("email", bulk := messages("email", 4, bulk=True))
    pool.bulkhead.put("email", fresh := messages("email", 1))
    for received in bulk[:2]:
        pool.bulkhead.gone(received)
    assert pool.given == [*bulk[:2], *fresh, bulk[2]]


def test_what_is_given_back_while_it_waits_is_never_given_to_the_pool() -> None:
    pool = Pool("email", "sms")
    pool.bulkhead.put("email", email := messages("email", 4))
    pool.bulkhead.gone(email[2])
    pool.bulkhead.gone(email[0])
    assert pool.given == [email[0], email[1], email[3]]


def test_what_never_came_this_far_makes_no_room() -> None:
    pool = Pool("email", "sms")
    pool.bulkhead.put("email", email := messages("email", 4))
    pool.bulkhead.gone(message("email"))
    pool.bulkhead.gone(message("push"))
    assert pool.given == email[:2]


@pytest.mark.parametrize(("places", "room"), [(1, 1), (2, 1), (3, 1), (16, 8)])
def test_half_of_a_pool_is_one_place_at_least(places: int, room: int) -> None:
    pool = Pool("email", "sms", places=places)
    pool.bulkhead.put("email", messages("email", 20))
    assert len(pool.given) == room


def test_a_pool_that_grows_is_shared_as_it_is_then() -> None:
    pool = Pool("email", "sms", places=2)
    pool.bulkhead.put("email", email := messages("email", 8))
    pool.places = 8
    pool.bulkhead.gone(email[0])
    assert pool.given == email[:5]


def test_a_pool_that_is_not_known_is_not_divided() -> None:
    pool = Pool("email", "sms", places=None)
    pool.bulkhead.put("email", email := messages("email", 8))
    assert pool.given == email
