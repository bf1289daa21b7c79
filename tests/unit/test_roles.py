"""What a stolen role can do: each holds what its process needs, and nothing of another's."""

from __future__ import annotations

import pytest

from notifications import topology
from notifications.aws.arns import Arns
from notifications.roles import ProcessRole, Right, roles

ARNS = Arns("aws", "eu-central-1", "111122223333")
LAYOUT = topology.current()
ROLES = {role.name: role for role in roles(LAYOUT, ARNS)}
WORKERS = [role for name, role in ROLES.items() if name.startswith("worker-")]


def rights(role: ProcessRole, action: str) -> list[Right]:
    return [right for right in role.rights if action in right.actions]


def test_a_web_process_has_no_right_at_aws() -> None:
    assert ROLES["web"].rights == ()
    assert ROLES["web"].key_actions == ()


def test_only_a_relay_publishes_and_sends_to_the_queues_that_are_worked_off() -> None:
    graves = {ARNS.queue(queue.physical) for queue in LAYOUT.queues if queue.role.is_grave}
    assert rights(ROLES["relay"], "sns:Publish")
    for role in {*ROLES.values()} - {ROLES["relay"]}:
        assert rights(role, "sns:Publish") == []
        for right in rights(role, "sqs:SendMessage"):
            assert set(right.resources) <= graves, role.name


@pytest.mark.parametrize("role", WORKERS, ids=lambda role: role.name)
def test_a_worker_reaches_no_queue_but_its_consumer_s(role: ProcessRole) -> None:
    consumer = role.name.removeprefix("worker-")
    own = {ARNS.queue(queue.physical) for queue in LAYOUT.queues if queue.consumer == consumer}
    reached = {
        resource
        for right in role.rights
        for resource in right.resources
        if any(action.startswith("sqs:") for action in right.actions)
    }
    assert reached
    assert reached <= own


def test_nobody_changes_a_policy_a_queue_or_a_role_and_nobody_may_everything() -> None:
    for role in ROLES.values():
        for right in role.rights:
            for action in right.actions:
                service, verb = action.split(":")
                assert service in {"sns", "sqs", "ses", "sms-voice", "social-messaging"}, role.name
                assert "*" not in action, role.name
                assert not verb.startswith(("Set", "Add", "Remove", "Create", "Put")), role.name
