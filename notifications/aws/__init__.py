"""SNS and SQS: the only place, beside the channel adapters, that imports boto3."""

from __future__ import annotations


def forget() -> None:
    """Drop every client and every name looked up: the environment points elsewhere now."""
    from notifications.aws import arns, clients, sqs

    clients.forget()
    sqs.forget()
    arns.arns.cache_clear()
