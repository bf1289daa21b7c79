"""Metrics: what a process counts as it works, and how the whole fleet does, for Prometheus and
CloudWatch. `table` says which there are; docs/metrics.md is for whoever reads them.

    metrics.record_published("order-events", 10)
    content_type, body = metrics.exposition()
"""

from notifications.metrics.counting import (
    OTHER,
    record_dead_letter,
    record_delivery,
    record_handled,
    record_provider,
    record_publish_failures,
    record_published,
    record_received,
    record_retry,
    record_task,
)
from notifications.metrics.exposition import exposition, may_have

__all__ = [
    "OTHER",
    "exposition",
    "may_have",
    "record_dead_letter",
    "record_delivery",
    "record_handled",
    "record_provider",
    "record_publish_failures",
    "record_published",
    "record_received",
    "record_retry",
    "record_task",
]
