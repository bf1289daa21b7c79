"""Two tasks with Celery's own `rate_limit`, which is each worker's.

`python limited.py EMAILS SMS` sends so many of each.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

import boto3
from app import app, fill
from botocore.config import Config

SMS_QUEUE = "peer-sms"

app.conf.broker_transport_options["predefined_queues"][SMS_QUEUE] = {
    "url": os.environ["PEER_SMS_QUEUE_URL"]
}
app.conf.task_routes = {"peer.sms": {"queue": SMS_QUEUE}}


@app.task(name="peer.email", rate_limit=os.environ["BENCH_EMAIL_LIMIT"])
def email(text: str) -> None:
    client("sesv2").send_email(
        FromEmailAddress="shop@example.org",
        Destination={"ToAddresses": ["customer@example.org"]},
        Content={
            "Simple": {"Subject": {"Data": "Your order"}, "Body": {"Text": {"Data": "Thank you."}}}
        },
    )


@app.task(name="peer.sms", rate_limit=os.environ["BENCH_SMS_LIMIT"])
def sms(text: str) -> None:
    client("pinpoint-sms-voice-v2").send_text_message(
        DestinationPhoneNumber="+4915112345678", MessageBody="Thank you.", OriginationIdentity="us"
    )


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}))


if __name__ == "__main__":
    fill(email, int(sys.argv[1]))
    fill(sms, int(sys.argv[2]))
