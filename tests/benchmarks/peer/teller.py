"""The task that tells a customer and keeps record of it, as a careful hand would write it.

A claim before the send and the outcome after it, a statement each, into the same tables as
ours; the send is boto3's. No retry, no render, no limit: only what has to be there.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
from app import app, fill
from botocore.config import Config
from celery import Task
from psycopg_pool import ConnectionPool

LEASE = 30
CLAIM = """
WITH claimed AS (
    INSERT INTO notifications_delivery (
        id, event_id, event_type, event_time, subject, channel, route, recipient, address,
        address_hash, state, reason, generation, attempts, token, lease_until, last_error,
        provider_message_id, started_at, updated_at
    ) VALUES (
        %(id)s, %(event)s, %(type)s, %(time)s, %(subject)s, 'email', 'customer', %(recipient)s,
        %(address)s, '', 'sending', '', 0, 1, %(token)s, now() + make_interval(secs => %(lease)s),
        '', '', now(), now()
    )
    ON CONFLICT DO NOTHING
    RETURNING id, subject, token
)
INSERT INTO notifications_attempt (
    delivery_id, subject, generation, number, token, outcome, provider, code, detail,
    provider_message_id, task_id, worker
)
SELECT id, subject, 0, 1, token, 'started', '', '', '', '', %(event)s, '' FROM claimed
RETURNING delivery_id
"""
OUTCOME = """
WITH sent AS (
    UPDATE notifications_delivery SET
        state = 'sent', lease_until = NULL, provider = 'ses', provider_message_id = %(message)s,
        sent_at = now(), finished_at = now(), updated_at = now()
    WHERE id = %(id)s AND token = %(token)s AND state = 'sending'
    RETURNING id, token
)
UPDATE notifications_attempt AS attempt SET
    outcome = 'sent', provider = 'ses', provider_message_id = %(message)s, finished_at = now()
FROM sent WHERE attempt.delivery_id = sent.id AND attempt.token = sent.token
"""


@app.task(bind=True, name="peer.tell")
def tell(self: Task, text: str) -> None:
    """Claim, send, record. The task's id stands for the event's."""
    event = json.loads(text)
    address = f"customer-{event['data']['customer_id']}@example.org"
    row = {
        "id": uuid4(),
        "token": uuid4(),
        "event": self.request.id,
        "type": event["type"],
        "time": event["time"],
        "subject": event["subject"],
        "recipient": f"customer/{event['data']['customer_id']}",
        "address": address,
        "lease": LEASE,
    }
    with database().connection() as connection:
        if not connection.execute(CLAIM, row).fetchone():
            return
    answer = email().send_email(
        FromEmailAddress="shop@example.org",
        Destination={"ToAddresses": [address]},
        Content={"Simple": content(event["data"]["order_id"])},
    )
    with database().connection() as connection:
        connection.execute(OUTCOME, {**row, "message": answer["MessageId"]})


def content(order: int) -> dict[str, Any]:
    return {
        "Subject": {"Data": f"Your order {order}"},
        "Body": {"Text": {"Data": f"Thank you for order {order}."}},
    }


@cache
def database() -> ConnectionPool:
    return ConnectionPool(
        os.environ["DATABASE_URL"], min_size=1, max_size=20, kwargs={"autocommit": True}, open=True
    )


@cache
def email() -> Any:
    config = Config(max_pool_connections=64, retries={"total_max_attempts": 1})
    return boto3.client("sesv2", config=config)


if __name__ == "__main__":
    fill(tell, int(sys.argv[1]))
