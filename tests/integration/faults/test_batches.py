"""Single entries of a batch fail: what the emulator sees, and what boto3 is told."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.local.faults import FaultClient
from tests.integration.faults.calls import bodies, depth, ids, send
from tests.waiting import wait_for


def test_single_entries_of_a_send_fail_and_the_others_arrive(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial", actions=["SendMessageBatch"], times=2, code="InternalError")

    answer = send(sqs, queue, "a", "b", "c")

    assert ids(answer["Failed"]) == {"a", "b"}
    assert {entry["Code"] for entry in answer["Failed"]} == {"InternalError"}
    assert ids(answer["Successful"]) == {"c"}
    assert bodies(sqs, queue) == {"body of c"}
    assert faults.struck() == {"partial": 2}


def test_a_batch_of_which_every_entry_fails_is_not_forwarded(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial")

    assert ids(send(sqs, queue, "a", "b")["Failed"]) == {"a", "b"}
    assert bodies(sqs, queue) == set()


def test_an_entry_may_be_done_and_yet_be_reported_as_failed(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial", when="after", times=1)

    answer = send(sqs, queue, "a", "b")

    assert (ids(answer["Failed"]), ids(answer["Successful"])) == ({"a"}, {"b"})
    assert bodies(sqs, queue) == {"body of a", "body of b"}


def test_single_entries_of_a_delete_fail_and_their_messages_stay(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    send(sqs, queue, "a", "b")
    held = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    handles = [
        {"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in held
    ]
    faults.fault("partial", actions=["DeleteMessageBatch"], times=1)

    failed = sqs.delete_message_batch(QueueUrl=queue, Entries=handles)["Failed"]

    assert len(failed) == 1
    kept = next(entry for entry in handles if entry["Id"] == failed[0]["Id"])
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=kept["ReceiptHandle"], VisibilityTimeout=0
    )
    assert bodies(sqs, queue) == ids(failed)


@pytest.mark.parametrize("when", ["before", "after"])
def test_single_entries_of_a_publication_fail(
    sqs: Any, sns: Any, queue: str, faults: FaultClient, when: Any
) -> None:
    topic = sns.create_topic(Name=f"partial-{when}")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    faults.fault("partial", when=when, actions=["PublishBatch"], times=1)
    attributes = {"event_type": {"DataType": "String", "StringValue": "order.created"}}

    answer = sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": name, "Message": f"<{name} & co>", "MessageAttributes": attributes}
            for name in "abc"
        ],
    )

    assert (ids(answer["Failed"]), ids(answer["Successful"])) == ({"a"}, {"b", "c"})
    published = {"<b & co>", "<c & co>"} | ({"<a & co>"} if when == "after" else set())
    assert bodies(sqs, queue) == published


def test_single_entries_of_a_send_arrive_twice(sqs: Any, queue: str, faults: FaultClient) -> None:
    faults.fault("repeat", actions=["SendMessageBatch"], times=1, seconds=0.2)

    answer = send(sqs, queue, "a", "b")

    assert (ids(answer["Successful"]), answer.get("Failed", [])) == ({"a", "b"}, [])
    wait_for(lambda: depth(sqs, queue) == 3, what="the second copy")
    assert bodies(sqs, queue) == {"body of a", "body of b"}
    assert faults.struck() == {"repeat": 1}


def test_an_entry_that_is_reported_as_failed_may_be_repeated_all_the_same(
    sqs: Any, queue: str, faults: FaultClient
) -> None:
    faults.fault("partial", when="before", times=1)
    faults.fault("repeat", times=1)

    assert ids(send(sqs, queue, "a")["Failed"]) == {"a"}

    wait_for(lambda: bodies(sqs, queue) == {"body of a"}, what="what was said to have failed")


def test_equal_seeds_throw_equal_dice(sqs: Any, queue: str, faults: FaultClient) -> None:
    def failures(seed: int) -> list[set[str]]:
        faults.reset(seed=seed)
        faults.fault("partial", probability=0.5)
        answers = [send(sqs, queue, *"abcdefghij") for _ in range(3)]
        return [ids(answer["Failed"]) for answer in answers]

    assert failures(7) == failures(7) != failures(8)
