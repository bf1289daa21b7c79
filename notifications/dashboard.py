"""The CloudWatch dashboard of one environment, as data: what one looks at first when woken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from notifications.alarms import SQS
from notifications.metrics import table
from notifications.metrics.table import NAMESPACE, Metric
from notifications.topology import Queue, Role, Topology

WIDTH, HEIGHT = 12, 6
"""Of a chart, of the 24 columns that a dashboard has: two in a row."""


def body(layout: Topology, *, region: str, console: str) -> dict[str, Any]:
    """As CloudWatch takes it. console: the address of the console's overview."""
    mains = [queue for queue in layout.queues if queue.role is Role.MAIN]
    polled = [queue for queue in layout.queues if not queue.role.is_grave]
    graves = [queue for queue in layout.queues if queue.role.is_grave]
    names = [queue.name for queue in mains]
    charts = (
        ("Age of the oldest message", _sqs("ApproximateAgeOfOldestMessage", polled), "Maximum"),
        ("Messages waiting", _sqs("ApproximateNumberOfMessagesVisible", polled), "Maximum"),
        (
            "Dead letters, in SQS and in rows",
            [_ours(table.DEAD_LETTERS_OPEN, layout, consumer=name) for name in names],
            "Maximum",
        ),
        (
            "Dead letters that no relay has kept",
            _sqs("ApproximateNumberOfMessagesVisible", graves),
            "Maximum",
        ),
        (
            "From commit to done, 95 %",
            [
                _ours(table.LAG, layout, consumer=name, stage="total", quantile="0.95")
                for name in names
            ],
            "Maximum",
        ),
        (
            "The oldest event that is not done",
            [_ours(table.QUEUE_OLDEST_AGE, layout, queue=name) for name in names],
            "Maximum",
        ),
        ("What is due waits for a relay", [_ours(table.DISPATCH_AGE, layout)], "Maximum"),
        (
            "Published and not published",
            [_all(table.PUBLISHED, layout), _all(table.PUBLISH_FAILURES, layout)],
            "Sum",
        ),
        (
            "Deliveries by channel and state",
            [_search(table.DELIVERIES, layout)],
            "Sum",
        ),
    )
    head = {
        "type": "text",
        **_place(0, 0, width=24, height=2),
        "properties": {"markdown": f"## {layout.prefix}\n[The console]({console})"},
    }
    return {"widgets": [head, *(_chart(at, region, *chart) for at, chart in enumerate(charts))]}


def _chart(at: int, region: str, title: str, metrics: list[Any], statistic: str) -> dict[str, Any]:
    return {
        "type": "metric",
        **_place(WIDTH * (at % 2), 2 + HEIGHT * (at // 2), width=WIDTH, height=HEIGHT),
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "stat": statistic,
            "period": 60,
            "metrics": metrics,
        },
    }


def _place(x: int, y: int, *, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "width": width, "height": height}


def _sqs(metric: str, queues: Iterable[Queue]) -> list[Any]:
    return [[SQS, metric, "QueueName", queue.physical] for queue in queues]


def _ours(metric: Metric, layout: Topology, **labels: str) -> list[str]:
    named = [text for name in metric.labels for text in (name, labels[name])]
    return [*_all(metric, layout), *named]


def _all(metric: Metric, layout: Topology) -> list[str]:
    """Of all its labels together: it is told so, too."""
    return [NAMESPACE, metric.name, "environment", layout.prefix]


def _search(metric: Metric, layout: Topology) -> list[Any]:
    """One line for each set of labels that there is."""
    wanted = f'MetricName="{metric.name}" environment="{layout.prefix}"'
    of = ",".join((NAMESPACE, "environment", *metric.labels))
    return [{"expression": f"SEARCH('{{{of}}} {wanted}', 'Sum', 60)"}]
