"""The demo's workers serve every consumer there is, one that was just added as well."""

from __future__ import annotations

from notifications import consumers
from notifications.consumers import Consumer
from orders_site.demo.house import WORKERS, served


def test_every_consumer_is_served_by_one_worker() -> None:
    queues = ",".join(served(WORKERS).values()).split(",")

    assert sorted(queues) == [consumer.name for consumer in consumers.all_consumers()]


def test_a_consumer_that_no_worker_names_is_the_last_ones() -> None:
    consumers.register(Consumer("loyalty", task="t.loyalty", wants=None))
    try:
        assert served(WORKERS)["worker-shop"] == WORKERS["worker-shop"] + ",loyalty"
    finally:
        consumers.unregister("loyalty")
