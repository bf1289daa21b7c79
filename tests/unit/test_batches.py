"""Batches: what one call to SNS or SQS may carry, and how its answer is read."""

from __future__ import annotations

from notifications.aws.batches import MAX_BYTES, Entry, Outcome, batched


def _entries(*sizes: int) -> list[Entry]:
    return [Entry(str(number), "x" * size) for number, size in enumerate(sizes)]


def _ids(batches: object) -> list[list[str]]:
    return [[entry.id for entry in batch] for batch in batches]


def test_a_batch_holds_ten_entries() -> None:
    assert _ids(batched(_entries(*[1] * 23))) == [
        [str(number) for number in range(10)],
        [str(number) for number in range(10, 20)],
        ["20", "21", "22"],
    ]


def test_a_batch_holds_as_many_bytes_as_one_call_takes() -> None:
    half = MAX_BYTES // 2

    assert _ids(batched(_entries(half, half, 1, half))) == [["0", "1"], ["2", "3"]]


def test_an_entry_larger_than_a_call_goes_alone() -> None:
    assert _ids(batched(_entries(1, MAX_BYTES + 1, 1))) == [["0"], ["1"], ["2"]]


def test_nothing_makes_no_batch() -> None:
    assert list(batched([])) == []


def test_size_is_counted_in_bytes_with_name_type_and_value_of_each_attribute() -> None:
    entry = Entry("1", "ä", {"type": "ö€"})

    assert entry.size == 2 + len("type") + len("String") + 5


def test_each_entry_has_a_result_of_its_own() -> None:
    outcome = Outcome.of(
        _entries(1, 1, 1),
        {
            "Successful": [{"Id": "0", "MessageId": "m-0"}],
            "Failed": [{"Id": "1", "Code": "InternalError", "Message": "later", "SenderFault": 0}],
        },
    )

    assert outcome.published == {"0": "m-0"}
    assert outcome.failed == {"1": "InternalError: later", "2": "the answer does not mention it"}


def test_fifo_entries_carry_their_group_and_deduplication_id() -> None:
    plain, ordered = Entry("1", "b", {"a": "v"}), Entry("1", "b", group="order/1", dedup="e.0")

    assert plain.request("Message") == {
        "Id": "1",
        "Message": "b",
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}},
    }
    assert ordered.request("MessageBody")["MessageGroupId"] == "order/1"
    assert ordered.request("MessageBody")["MessageDeduplicationId"] == "e.0"
