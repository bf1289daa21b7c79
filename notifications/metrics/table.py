"""The metrics, as data: what is counted and measured, in which unit, by which labels, where.

Prometheus and CloudWatch are told the same names. docs/metrics.md has this table, word for word;
dashboard and alerts name nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "Notifications"
"""In CloudWatch."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets of a duration: from a statement to the longest `max_seconds`."""


class Kind(StrEnum):
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class Unit(StrEnum):
    """As the table calls it. `cloudwatch`: as CloudWatch does."""

    COUNT = "count"
    SECONDS = "seconds"
    RATIO = "ratio"
    FLAG = "0 or 1"

    @property
    def cloudwatch(self) -> str:
        return {Unit.COUNT: "Count", Unit.SECONDS: "Seconds"}.get(self, "None")


class Where(StrEnum):
    """Who counts it. FLEET: nobody; our tables and SQS are asked, for all processes at once."""

    RELAY = "relay"
    WORKER = "worker"
    FLEET = "fleet"


@dataclass(frozen=True)
class Metric:
    """One row of the table. A counter's name ends in `_total`."""

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    where: Where
    help: str

    @property
    def family(self) -> str:
        """As prometheus_client calls it."""
        return self.name.removesuffix("_total")


PUBLISHED = Metric(
    "notifications_dispatches_published_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("destination",),
    Where.RELAY,
    "Dispatches that SNS or SQS took.",
)
PUBLISH_FAILURES = Metric(
    "notifications_publish_failures_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("destination",),
    Where.RELAY,
    "Tries to publish a dispatch that failed; it is tried again.",
)
RECEIVED = Metric(
    "notifications_messages_received_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("consumer",),
    Where.WORKER,
    "Messages that SQS handed over; one that comes again counts again.",
)
DELIVERIES = Metric(
    "notifications_deliveries_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("channel", "state"),
    Where.WORKER,
    "Deliveries that came into the state, by a send or by a receipt.",
)
HANDLED = Metric(
    "notifications_events_handled_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("consumer", "outcome"),
    Where.WORKER,
    "Runs of a consumer's task that ended.",
)
RETRIES = Metric(
    "notifications_retries_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("consumer",),
    Where.WORKER,
    "Events that failed for now and are tried again.",
)
DEAD_LETTERS = Metric(
    "notifications_dead_letters_total",
    Kind.COUNTER,
    Unit.COUNT,
    ("consumer", "reason"),
    Where.WORKER,
    "Messages that were given up.",
)
TASK_SECONDS = Metric(
    "notifications_task_seconds",
    Kind.HISTOGRAM,
    Unit.SECONDS,
    ("consumer",),
    Where.WORKER,
    "How long a run of a consumer's task took, however it ended.",
)
PROVIDER_SECONDS = Metric(
    "notifications_provider_seconds",
    Kind.HISTOGRAM,
    Unit.SECONDS,
    ("channel", "provider"),
    Where.WORKER,
    "How long a provider took to answer a send, or not to.",
)
LAG = Metric(
    "notifications_lag_seconds",
    Kind.GAUGE,
    Unit.SECONDS,
    ("consumer", "stage", "quantile"),
    Where.FLEET,
    "How long events took at a stage, of the latest 1,000 done that began in the last 15 minutes.",
)
DISPATCH_AGE = Metric(
    "notifications_dispatch_age_seconds",
    Kind.GAUGE,
    Unit.SECONDS,
    (),
    Where.FLEET,
    "Since when the oldest dispatch or scheduled event that is due waits for a relay; 0: none.",
)
QUEUE_MESSAGES = Metric(
    "notifications_queue_messages",
    Kind.GAUGE,
    Unit.COUNT,
    ("queue", "state"),
    Where.FLEET,
    "Messages on a queue, as SQS tells, approximately.",
)
QUEUE_OLDEST_AGE = Metric(
    "notifications_queue_oldest_age_seconds",
    Kind.GAUGE,
    Unit.SECONDS,
    ("queue",),
    Where.FLEET,
    "Since when the oldest event is recorded on which the queue's consumer has not reported.",
)
DEAD_LETTERS_OPEN = Metric(
    "notifications_dead_letters_open",
    Kind.GAUGE,
    Unit.COUNT,
    ("consumer",),
    Where.FLEET,
    "Dead letters that wait for somebody: those in SQS and the open rows.",
)
SCHEDULED_REFUSED = Metric(
    "notifications_scheduled_refused",
    Kind.GAUGE,
    Unit.COUNT,
    (),
    Where.FLEET,
    "Scheduled events that could not be recorded when they were due, and wait for somebody.",
)
LIMIT_USED = Metric(
    "notifications_limit_used_ratio",
    Kind.GAUGE,
    Unit.RATIO,
    ("account",),
    Where.FLEET,
    "Units a second that an account was granted since the look before, of its limit.",
)
BREAKER_OPEN = Metric(
    "notifications_breaker_open",
    Kind.GAUGE,
    Unit.FLAG,
    ("account",),
    Where.FLEET,
    "Whether an account is left alone because its provider fails.",
)
LAST_POLL_AGE = Metric(
    "notifications_last_poll_age_seconds",
    Kind.GAUGE,
    Unit.SECONDS,
    ("queue",),
    Where.FLEET,
    "Since when the latest receive from a queue began, of all its workers; none: no such row.",
)
WORKERS = Metric(
    "notifications_workers",
    Kind.GAUGE,
    Unit.COUNT,
    ("queue",),
    Where.FLEET,
    "Worker processes that live and receive from a queue.",
)
UNKNOWN_OUTCOMES = Metric(
    "notifications_unknown_outcomes",
    Kind.GAUGE,
    Unit.COUNT,
    ("channel",),
    Where.FLEET,
    "Deliveries of which nobody knows whether they were sent, and no retry is ahead.",
)
BOUNCE_RATIO = Metric(
    "notifications_bounce_ratio",
    Kind.GAUGE,
    Unit.RATIO,
    ("channel", "provider"),
    Where.FLEET,
    "Hard bounces of what was sent within REPUTATION's window; of too few messages, no row.",
)
OBJECTIVE_BURN = Metric(
    "notifications_objective_burn_ratio",
    Kind.GAUGE,
    Unit.RATIO,
    ("event_type", "window"),
    Where.FLEET,
    "How quickly an event type uses up what its objective allows; 1: just as it may.",
)
OBJECTIVE_FAST = Metric(
    "notifications_objective_burns_fast",
    Kind.GAUGE,
    Unit.FLAG,
    ("event_type",),
    Where.FLEET,
    "Whether that is so quick, and of so many, that somebody is to be woken: as the overview says.",
)
SCRAPE_ERRORS = Metric(
    "notifications_scrape_errors",
    Kind.GAUGE,
    Unit.FLAG,
    ("part",),
    Where.FLEET,
    "Whether a part of these gauges could not be had; its rows are missing, or a minute old.",
)

TABLE: tuple[Metric, ...] = (
    *(PUBLISHED, PUBLISH_FAILURES, RECEIVED, DELIVERIES, HANDLED, RETRIES, DEAD_LETTERS),
    *(TASK_SECONDS, PROVIDER_SECONDS),
    *(LAG, DISPATCH_AGE, QUEUE_MESSAGES, QUEUE_OLDEST_AGE, DEAD_LETTERS_OPEN),
    SCHEDULED_REFUSED,
    *(LIMIT_USED, BREAKER_OPEN, LAST_POLL_AGE, WORKERS, UNKNOWN_OUTCOMES, BOUNCE_RATIO),
    *(OBJECTIVE_BURN, OBJECTIVE_FAST, SCRAPE_ERRORS),
)

REASONS: tuple[str, ...] = (
    # the message
    *("not_an_event", "unknown_event", "not_recorded", "event_lost", "rejected"),
    # its task
    *("failed", "attempts_exhausted", "poison", "unreadable", "event_refused"),
    *("outside_transaction", "endpoint_refused", "not_provisioned"),
    # what was to be told
    *("template_missing", "template_variable", "template_value", "template_broken"),
    *("original_not_kept", "outside_window", "message_too_large", "invalid_header"),
    # to whom, by whom
    *("invalid_address", "no_endpoint", "private_address", "invalid_request", "not_sent"),
    *("provider_paused", "elsewhere", "outcome_unknown"),
    # an error of ours that says no more
    *("transient", "error", "permanent"),
)
"""Of a dead letter: whatever our code calls it. A code that a provider or the shop made up is
`permanent`: there are too many to be labels; the dead letter's row has it."""

LABELS: Mapping[str, str] = {
    "account": "a provider account (`manage.py rate_limits`): `email`, `email.ses`",
    "channel": "a channel of `NOTIFICATIONS`",
    "consumer": "a registered consumer",
    "destination": "a topic or queue without the prefix: `order-events`, `email-bulk`",
    "event_type": "a registered event type that has an objective",
    "outcome": "`done`; `ignored` (done already, or put off to the outbox); `waits` (a lease, a "
    "turn, the database); `retried`; `failed` (a dead letter); `lost` (its process died, or took "
    "too long)",
    "part": "`sqs`, `queues`, `lag`, `dispatches`, `schedule`, `accounts`, `unknown`, `bounces`, "
    "`objectives`; `time`: the look took longer than a scrape waits",
    "provider": "as it stands on attempts: `ses`, `fcm`",
    "quantile": "`0.5`, `0.95`",
    "queue": "a queue without the prefix: `email`, `email-bulk`, `email-dlq`",
    "reason": ", ".join(f"`{reason}`" for reason in REASONS)
    + " (whatever code it was refused with). Of what SQS or SNS moved nothing is counted: "
    "`notifications_dead_letters_open` has it",
    "stage": "`published` (since the commit), `received` (since then), `done` (since then), "
    "`total` (from commit to done)",
    "state": "of a delivery, as `docs/lifecycle.md` has them; of messages on a queue `visible`, "
    "`in_flight`, `delayed`",
    "window": "the time over which it is told: `5m`, `30m`, `1h`, `6h`",
}
"""What the values of each label are. None is an id or an address; beyond `counting.MOST_SERIES`
all are `other`."""


def as_markdown() -> str:
    """As docs/metrics.md has it."""
    metrics = (
        (f"`{it.name}`", it.kind, it.unit, ", ".join(it.labels), it.where, it.help) for it in TABLE
    )
    labels = ((f"`{name}`", LABELS[name]) for name in sorted(LABELS))
    return "\n\n".join(
        (
            _rows(("name", "kind", "unit", "labels", "counted in", "what it is"), metrics),
            _rows(("label", "its values"), labels),
        )
    )


def _rows(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
