"""Provisioning: the topology compared with what is there, and what is missing or drifted mended.

Nothing is ever deleted: what is no longer declared may hold messages, and is reported.
Runs may overlap: every step is one that AWS takes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from botocore.exceptions import ClientError

from notifications import audit
from notifications.aws import strangers
from notifications.aws.arns import Arns, arns
from notifications.aws.attributes import (
    LARGEST_PUBLISHED,
    NONE,
    UNFILTERED,
    UNTOUCHED_QUEUE,
    UNTOUCHED_SUBSCRIPTION,
    queue_attributes,
    same,
    subscription_attributes,
    topic_attributes,
)
from notifications.aws.clients import client
from notifications.aws.errors import code
from notifications.aws.sqs import MISSING
from notifications.aws.strangers import Stranger
from notifications.topics import Topic
from notifications.topology import Queue, Subscription, Topology

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

Subscribed: TypeAlias = Mapping[tuple[str, str], str]
"""Protocol and endpoint → the ARN of the subscription."""


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
    strangers: tuple[Stranger, ...] = ()

    @property
    def drift(self) -> tuple[Step, ...]:
        """The steps that have something to do."""
        return tuple(step for step in self.steps if step.action is not Action.KEEP)


def plan(layout: Topology) -> Plan:
    """Compare with what is there. Reads only; raises botocore's errors."""
    return Provisioner(layout).plan()


def provision(layout: Topology, *, by: str = "", reason: str = "") -> Plan:
    """Make it so; returns the plan that was carried out. Raises botocore's errors.

    by: who has it done. What is to be made or changed is audited then, before it is: nothing that
    is done at AWS can be undone with a transaction.
    """
    provisioner = Provisioner(layout)
    first = provisioner.plan()
    drift = first.drift
    if by and drift:
        audit.record(
            "topology.provision",
            by=by,
            reason=reason,
            target=layout.prefix,
            before={step.name: _found(step) for step in drift},
            after={step.name: _made(step) for step in drift},
            count=len(drift),
        )
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
        return Plan(tuple(steps), tuple(orphans), tuple(self._strangers(live)))

    def carry_out(self, step: Step) -> bool:
        """False when another run got in between: look again."""
        match step.resource:
            case Topic() as topic if step.action is Action.CREATE:
                self._sns.create_topic(
                    Name=topic.physical, Attributes=_there(topic_attributes(topic, self._arns))
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
                Attributes=_there(wanted),
                tags={ENVIRONMENT_TAG: self._layout.prefix},
            )
        except ClientError as error:
            if code(error) in _MADE_BY_ANOTHER:
                return False
            raise
        return True

    def _subscribe(self, subscription: Subscription) -> bool:
        # With its attributes at once, or the queue would see a moment of unfiltered events.
        wanted = subscription_attributes(subscription, self._arns)
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
        found = UNTOUCHED_QUEUE | live.get("Attributes", {})
        if int(found.get("MaximumMessageSize", LARGEST_PUBLISHED)) < LARGEST_PUBLISHED:
            wanted["MaximumMessageSize"] = str(LARGEST_PUBLISHED)
        return _step(queue, live=url, wanted=UNTOUCHED_QUEUE | wanted, found=found)

    def _subscription_step(
        self, subscription: Subscription, live: Mapping[str, Subscribed]
    ) -> Step:
        wanted = subscription_attributes(subscription, self._arns)
        arn = live[subscription.topic].get(("sqs", self._arns.queue(subscription.queue)), "")
        if not arn:
            return _step(subscription, live="", wanted=wanted, found=None)
        found = self._sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return _step(
            subscription,
            live=arn,
            wanted=UNTOUCHED_SUBSCRIPTION | wanted,
            found=UNTOUCHED_SUBSCRIPTION | found,
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

    def _subscriptions(self, topic: Topic) -> Subscribed:
        """Of the live topic."""
        if self._live_topic(topic) is None:
            return {}
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(
            TopicArn=self._arns.topic(topic.physical)
        )
        return {
            (found["Protocol"], found["Endpoint"]): found["SubscriptionArn"]
            for page in pages
            for found in page.get("Subscriptions", ())
        }

    def _orphaned_queues(self) -> Iterator[Orphan]:
        declared = {queue.physical for queue in self._layout.queues}
        pages = self._sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=f"{self._layout.prefix}-"
        )
        for url in (url for page in pages for url in page.get("QueueUrls", ())):
            name = url.rsplit("/", 1)[-1]
            try:
                if name not in declared and self._is_ours(url):
                    yield Orphan("queue", name, self._messages(url))
            except ClientError as error:
                if code(error) not in MISSING:  # SQS lists for a minute what was deleted
                    raise

    def _orphaned_subscriptions(self, live: Mapping[str, Subscribed]) -> Iterator[Orphan]:
        """Of queues with our prefix only: what other teams subscribe is theirs."""
        declared = {(wanted.topic, wanted.queue) for wanted in self._layout.subscriptions}
        for topic, subscriptions in live.items():
            for protocol, endpoint in subscriptions:
                queue = endpoint.rsplit(":", 1)[-1]
                ours = protocol == "sqs" and endpoint.startswith(self._ours)
                if ours and (topic, queue) not in declared:
                    yield Orphan("subscription", f"{topic} → {queue}")

    def _strangers(self, live: Mapping[str, Subscribed]) -> Iterator[Stranger]:
        for topic in self._layout.topics:
            yield from strangers.subscribers(topic.physical, live[topic.physical], self._ours)
            if not topic.publishers:  # of the others the policy is declared, and compared
                policy = (self._live_topic(topic) or {}).get("Policy", "")
                yield from strangers.publishers(topic.physical, policy, self._arns.account)

    @property
    def _ours(self) -> str:
        """How the ARNs of our queues begin."""
        return self._arns.queue(f"{self._layout.prefix}-")

    def _is_ours(self, url: str) -> bool:
        tags = self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        return bool(tags.get(ENVIRONMENT_TAG) == self._layout.prefix)

    def _messages(self, url: str) -> int:
        counted = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return sum(int(count) for count in counted.get("Attributes", {}).values())


def _there(attributes: Mapping[str, str]) -> dict[str, str]:
    """Those that a new resource is made with."""
    return {name: value for name, value in attributes.items() if value != NONE}


def _found(step: Step) -> dict[str, str] | None:
    changed = {each.attribute: each.old for each in step.changes}
    return None if step.action is Action.CREATE else changed


def _made(step: Step) -> dict[str, str] | str:
    changed = {each.attribute: each.new for each in step.changes}
    return "created" if step.action is Action.CREATE else changed


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
