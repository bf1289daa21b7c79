"""Roles: what each kind of process may do at AWS, and nothing besides.

One for each kind of process, and one for each consumer's worker; `notifications.aws.cloudformation`
makes them. A worker that serves several consumers has the policies of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from notifications import consumers
from notifications.aws.arns import Arns
from notifications.channels import adapters
from notifications.topology import Queue, Role, Topology

KEY = ("kms:Decrypt", "kms:GenerateDataKey")
"""What is asked of the key for whoever receives, and for whoever sends."""

PROVISION = (
    *(
        "sns:CreateTopic",
        "sns:SetTopicAttributes",
        "sns:Subscribe",
        "sns:SetSubscriptionAttributes",
    ),
    *("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue"),
)
"""What `manage.py provision` asks for beyond the operator's rights. No process of ours has it: who
may change a queue's policy may read whatever comes there."""


@dataclass(frozen=True)
class Right:
    """`name`: of the statement. `resources`: ARNs."""

    name: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True)
class ProcessRole:
    """`name` without the prefix. `key_actions`: on the KMS key, where there is one."""

    name: str
    purpose: str
    rights: tuple[Right, ...] = ()
    key_actions: tuple[str, ...] = ()


def roles(layout: Topology, arns: Arns) -> tuple[ProcessRole, ...]:
    """Of this topology's processes. Raises ImproperlyConfigured for an adapter that is none."""
    return (
        ProcessRole(
            "web", "The public web process: its database, and nothing at AWS.", _web_rights()
        ),
        ProcessRole(
            "relay",
            "manage.py relay: publishes, sends to the queues, empties the dead-letter queues.",
            tuple(_relay_rights(layout, arns)),
            KEY,
        ),
        *(
            ProcessRole(
                f"worker-{name}",
                f"A worker of {name}: its queues, its dead letters, its provider.",
                tuple(_worker_rights(name, layout, arns)),
                KEY,
            )
            for name in _consumers(layout)
        ),
        ProcessRole(
            "operator",
            "manage.py and the web process of the console: depths, drift, test messages.",
            tuple(_operator_rights(layout, arns)),
        ),
    )


def _web_rights() -> tuple[Right, ...]:
    """What it has to say to AWS it writes into the outbox."""
    return ()


def _relay_rights(layout: Topology, arns: Arns) -> Iterator[Right]:
    sources = {each.source.topic for each in consumers.all_consumers() if each.source}
    topics = [topic.physical for topic in layout.topics if topic.name not in sources]
    if topics:
        yield Right("Publish", ("sns:Publish",), tuple(map(arns.topic, topics)))
    polled = [queue for queue in layout.queues if not queue.role.is_grave]
    graves = [queue for queue in layout.queues if queue.role.is_grave]
    yield Right("SendToQueues", ("sqs:SendMessage",), _arns(polled, arns))
    yield Right(
        "EmptyDeadLetterQueues", ("sqs:ReceiveMessage", "sqs:DeleteMessage"), _arns(graves, arns)
    )
    yield _look(layout, arns)


def _worker_rights(name: str, layout: Topology, arns: Arns) -> Iterator[Right]:
    own = [queue for queue in layout.queues if queue.consumer == name]
    yield Right(
        "WorkOffItsQueues",
        (
            *("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
            "sqs:ChangeMessageVisibility",
        ),
        _arns((queue for queue in own if not queue.role.is_grave), arns),
    )
    yield Right(
        "GiveUp",
        ("sqs:GetQueueUrl", "sqs:SendMessage"),
        _arns((queue for queue in own if queue.role is Role.DEAD_LETTERS), arns),
    )
    if channel := consumers.channel_of(name):
        yield from _tell((channel,), arns)


def _operator_rights(layout: Topology, arns: Arns) -> Iterator[Right]:
    yield _look(layout, arns)
    yield Right(
        "LookForDrift",
        ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sqs:ListQueueTags"),
        (arns.topic(f"{layout.prefix}-*"), arns.queue(f"{layout.prefix}-*")),
    )
    yield Right(  # these know no resources
        "LookForDriftAnywhere", ("sns:GetSubscriptionAttributes", "sqs:ListQueues"), ("*",)
    )
    channels = (consumers.channel_of(name) for name in _consumers(layout))
    yield from _tell([channel for channel in channels if channel], arns)


def _look(layout: Topology, arns: Arns) -> Right:
    """Also into what is no longer declared, so that it is not forgotten."""
    every = arns.queue(f"{layout.prefix}-*")
    return Right("LookIntoQueues", ("sqs:GetQueueUrl", "sqs:GetQueueAttributes"), (every,))


def _tell(channels: Iterable[str], arns: Arns) -> Iterator[Right]:
    """What the providers of these channels ask of who sends."""
    wanted = dict.fromkeys(right for name in channels for right in adapters.aws_rights(name))
    for right in wanted:
        service = right.actions[0].partition(":")[0]
        name = "".join(part.capitalize() for part in service.split("-"))
        resources = tuple(arns.of(service, resource) for resource in right.resources)
        yield Right(f"SendBy{name}", right.actions, resources)


def _consumers(layout: Topology) -> list[str]:
    return sorted({queue.consumer for queue in layout.queues})


def _arns(queues: Iterable[Queue], arns: Arns) -> tuple[str, ...]:
    return tuple(arns.queue(queue.physical) for queue in queues)
