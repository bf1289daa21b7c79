"""Provisioning: the topology compared with what is there, and what is missing or drifted mended.

Nothing is ever deleted: what is no longer declared may hold messages, and is reported.
Runs may overlap: every step is one that AWS takes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import ClientError

from notifications.aws.arns import Arns, arns
from notifications.aws.attributes import (
    NONE,
    UNFILTERED,
    queue_attributes,
    same,
    subscription_attributes,
    topic_attributes,
)
from notifications.aws.clients import client
from notifications.aws.errors import code
from notifications.aws.sqs import MISSING
from notifications.topology import Queue, Subscription, Topic, Topology

ENVIRONMENT_TAG = "notifications:environment"
"""Put on every queue: a prefix may be the beginning of another environment's."""

ROUNDS = 3
"""Tries to get past another run that makes the same things at the same time."""

_FIXED = frozenset({"FifoTopic", "FifoQueue"})
"""What cannot be changed on what exists; the name says it too."""

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_MADE_BY_ANOTHER = frozenset({"QueueAlreadyExists", "QueueNameExists"})


class Action(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"


@dataclass(frozen=True)
class Change:
    """One attribute that is not as declared. `old` is empty where there was none."""

    attribute: str
    old: str
    new: str


@dataclass(frozen=True)
class Step:
    """What one resource needs. `live` is its ARN or URL, where it exists."""

    action: Action
    resource: Topic | Queue | Subscription
    changes: tuple[Change, ...] = ()
    live: str = field(default="", repr=False)

    @property
    def kind(self) -> str:
        return type(self.resource).__name__.lower()

    @property
    def name(self) -> str:
        match self.resource:
            case Subscription(topic=topic, queue=queue):
                return f"{topic} → {queue}"
            case _:
                return self.resource.physical


@dataclass(frozen=True)
class Orphan:
    """Ours, alive, and no longer declared. `messages` is how many a queue holds, in any state."""

    kind: str
    name: str
    messages: int | None = None


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...]
    orphans: tuple[Orphan, ...]

    @property
    def drift(self) -> tuple[Step, ...]:
        """The steps that have something to do."""
        return tuple(step for step in self.steps if step.action is not Action.KEEP)


def plan(layout: Topology) -> Plan:
    """Compare with what is there. Reads only; raises botocore's errors."""
    return Provisioner(layout).plan()


def provision(layout: Topology) -> Plan:
    """Make it so; returns the plan that was carried out. Raises botocore's errors."""
    provisioner = Provisioner(layout)
    first = provisioner.plan()
    drift = first.drift
    for _ in range(ROUNDS):
        if not [step for step in drift if not provisioner.carry_out(step)]:
            break
        drift = provisioner.plan().drift
    return first


class Provisioner:
    """Reads and writes one environment."""

    def __init__(self, layout: Topology) -> None:
        self._layout = layout
        self._arns: Arns = arns()
        self._sns = client("sns")
        self._sqs = client("sqs")

    def plan(self) -> Plan:
        live = {topic.physical: self._subscriptions(topic) for topic in self._layout.topics}
        steps = [
            *map(self._topic_step, self._layout.topics),
            *map(self._queue_step, self._layout.queues),
            *(self._subscription_step(wanted, live) for wanted in self._layout.subscriptions),
        ]
        orphans = [*self._orphaned_queues(), *self._orphaned_subscriptions(live)]
        return Plan(tuple(steps), tuple(orphans))

    def carry_out(self, step: Step) -> bool:
        """False when another run got in between: look again."""
        match step.resource:
            case Topic() as topic if step.action is Action.CREATE:
                self._sns.create_topic(
                    Name=topic.physical, Attributes=topic_attributes(topic, self._arns)
                )
            case Topic():
                for change in step.changes:
                    self._sns.set_topic_attributes(
                        TopicArn=step.live,
                        AttributeName=change.attribute,
                        AttributeValue=change.new,
                    )
            case Queue() as queue if step.action is Action.CREATE:
                return self._create_queue(queue)
            case Queue():
                changed = {change.attribute: change.new for change in step.changes}
                self._sqs.set_queue_attributes(QueueUrl=step.live, Attributes=changed)
            case Subscription() as subscription if step.action is Action.CREATE:
                return self._subscribe(subscription)
            case Subscription():
                for change in step.changes:
                    self._sns.set_subscription_attributes(
                        SubscriptionArn=step.live,
                        AttributeName=change.attribute,
                        AttributeValue=change.new,
                    )
        return True

    def _create_queue(self, queue: Queue) -> bool:
        wanted = queue_attributes(queue, self._arns)
        try:
            self._sqs.create_queue(
                QueueName=queue.physical,
                Attributes={name: value for name, value in wanted.items() if value != NONE},
                tags={ENVIRONMENT_TAG: self._layout.prefix},
            )
        except ClientError as error:
            if code(error) in _MADE_BY_ANOTHER:
                return False
            raise
        return True

    def _subscribe(self, subscription: Subscription) -> bool:
        # With its attributes at once, or the queue would see a moment of unfiltered events.
        wanted = subscription_attributes(subscription)
        try:
            self._sns.subscribe(
                TopicArn=self._arns.topic(subscription.topic),
                Protocol="sqs",
                Endpoint=self._arns.queue(subscription.queue),
                Attributes={name: value for name, value in wanted.items() if value != UNFILTERED},
            )
        except ClientError as error:
            if code(error) == "InvalidParameter" and "already exists" in str(error):
                return False
            raise
        return True

    def _topic_step(self, topic: Topic) -> Step:
        live = self._live_topic(topic)
        wanted = topic_attributes(topic, self._arns)
        return _step(topic, live=self._arns.topic(topic.physical), wanted=wanted, found=live)

    def _queue_step(self, queue: Queue) -> Step:
        wanted = queue_attributes(queue, self._arns)
        try:
            url = self._sqs.get_queue_url(QueueName=queue.physical)["QueueUrl"]
            live = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except ClientError as error:
            if code(error) not in MISSING:
                raise
            return _step(queue, live="", wanted=wanted, found=None)
        return _step(queue, live=url, wanted=wanted, found=live.get("Attributes", {}))

    def _subscription_step(
        self, subscription: Subscription, live: Mapping[str, Mapping[str, str]]
    ) -> Step:
        wanted = subscription_attributes(subscription)
        arn = live[subscription.topic].get(self._arns.queue(subscription.queue), "")
        if not arn:
            return _step(subscription, live="", wanted=wanted, found=None)
        found = self._sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return _step(
            subscription, live=arn, wanted=wanted, found={"FilterPolicy": UNFILTERED} | found
        )

    def _live_topic(self, topic: Topic) -> Mapping[str, str] | None:
        arn = self._arns.topic(topic.physical)
        try:
            attributes: Mapping[str, str] = self._sns.get_topic_attributes(TopicArn=arn)[
                "Attributes"
            ]
        except ClientError as error:
            if code(error) != "NotFound":
                raise
            return None
        return attributes

    def _subscriptions(self, topic: Topic) -> dict[str, str]:
        """Of the live topic: the ARN of each subscribed queue → the ARN of its subscription."""
        if self._live_topic(topic) is None:
            return {}
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(
            TopicArn=self._arns.topic(topic.physical)
        )
        return {
            subscription["Endpoint"]: subscription["SubscriptionArn"]
            for page in pages
            for subscription in page.get("Subscriptions", ())
            if subscription["Protocol"] == "sqs"
        }

    def _orphaned_queues(self) -> Iterator[Orphan]:
        declared = {queue.physical for queue in self._layout.queues}
        pages = self._sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=f"{self._layout.prefix}-"
        )
        for url in (url for page in pages for url in page.get("QueueUrls", ())):
            name = url.rsplit("/", 1)[-1]
            if name not in declared and self._is_ours(url):
                yield Orphan("queue", name, self._messages(url))

    def _orphaned_subscriptions(self, live: Mapping[str, Mapping[str, str]]) -> Iterator[Orphan]:
        """Of queues with our prefix only: what other teams subscribe is theirs."""
        declared = {(wanted.topic, wanted.queue) for wanted in self._layout.subscriptions}
        for topic, subscriptions in live.items():
            for queue in (endpoint.rsplit(":", 1)[-1] for endpoint in subscriptions):
                if (topic, queue) not in declared and queue.startswith(f"{self._layout.prefix}-"):
                    yield Orphan("subscription", f"{topic} → {queue}")

    def _is_ours(self, url: str) -> bool:
        tags = self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        return bool(tags.get(ENVIRONMENT_TAG) == self._layout.prefix)

    def _messages(self, url: str) -> int:
        counted = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return sum(int(count) for count in counted.get("Attributes", {}).values())


def _step(
    resource: Topic | Queue | Subscription,
    *,
    live: str,
    wanted: Mapping[str, str],
    found: Mapping[str, str] | None,
) -> Step:
    if found is None:
        return Step(Action.CREATE, resource)
    changes = tuple(
        Change(name, found.get(name, NONE), value)
        for name, value in wanted.items()
        if name not in _FIXED and not same(value, found.get(name, NONE))
    )
    return Step(Action.CHANGE if changes else Action.KEEP, resource, changes, live)
