"""Plain Celery on kombu's own SQS transport, in a virtual environment of its own.

`celery -A empty worker …` consumes and `python empty.py NUMBER` sends (`teller` likewise), with
Celery's own message format. Queue and polling interval come from the environment.
"""

from __future__ import annotations

import os

from celery import Celery, Task

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


def fill(task: Task, number: int) -> None:
    """Send `number` messages for `task`."""
    with app.producer_or_acquire() as producer:
        for _ in range(number):
            task.apply_async((os.environ["PEER_BODY"],), producer=producer)
