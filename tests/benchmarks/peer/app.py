"""Plain Celery on kombu's own SQS transport, in a virtual environment of its own.

`celery -A app worker …` consumes; `python app.py fill NUMBER` sends, with Celery's own
message format. The queue and the polling interval come from the environment.
"""

from __future__ import annotations

import os
import sys

from celery import Celery

QUEUE = "peer"

app = Celery("peer", broker="sqs://")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "predefined_queues": {QUEUE: {"url": os.environ["PEER_QUEUE_URL"]}},
        "polling_interval": float(os.environ.get("PEER_POLLING_INTERVAL", "1")),
        "wait_time_seconds": 20,
        "visibility_timeout": 300,
    },
    task_acks_late=True,
    task_default_queue=QUEUE,
    task_ignore_result=True,
    worker_enable_remote_control=False,
)


@app.task(name="peer.empty")
def empty(text: str) -> None:
    """Nothing."""


def fill(number: int) -> None:
    with app.producer_or_acquire() as producer:
        for _ in range(number):
            empty.apply_async((os.environ["PEER_BODY"],), producer=producer)


if __name__ == "__main__":
    fill(int(sys.argv[2]))
