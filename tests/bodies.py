"""Bodies that are no event: whatever anybody might put on a queue, by accident or on purpose."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

MIB = 1024 * 1024

SQS_TAKES = st.characters(
    exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff"
)
"""What a body may hold: XML's characters. The rest cannot enter SQS."""

ANY = st.characters(exclude_categories=())
"""Lone surrogates and NUL too, of which JSON's escapes make texts within."""


def bodies(event_type: str, task: str, *, within: Any = ANY) -> st.SearchStrategy[str]:
    """No event among them. `event_type` is one that is known here, and `task` one of a worker."""
    texts = st.text(within, max_size=20)
    data = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    )
    objects = st.dictionaries(texts, data, max_size=4)
    raw = st.one_of(
        texts.filter(bool),
        st.binary(min_size=1, max_size=60).map(lambda raw: base64.b64encode(raw).decode()),
        data.map(_json),
        st.lists(data, max_size=4).map(_json),
        objects.map(lambda body: _json({"properties": body.get("properties", []), **body})),
        st.builds(_celery, st.just(task) | texts, objects, data),
        st.builds(_invalid_event, st.just(event_type), data),
        st.builds(_broken_cloudevent, st.just(event_type), objects),
        st.builds(_flat_without_facts, st.just(event_type), texts),
        st.builds(_of_aws, texts, data),
        st.integers(1, 3000).map(lambda depth: "[" * depth),
        st.integers(1, 1500).map(lambda depth: '{"a":' * depth + "1" + "}" * depth),
    )
    return st.one_of(raw, raw.map(_wrapped))


HOSTILE = (
    "x" * (MIB - 64),
    "[" * 200_000,
    '{"a":' * 40_000,
    '{"a":' * 900 + "1" + "}" * 900,
    json.dumps({str(number): number for number in range(20_000)}),
    '{"number":' + "9" * 100_000 + "}",
    '{"properties":[]}',
    '{"properties":{"delivery_info":null},"body":"x"}',
    '{"a":"\\u0000"}',
    '{"a":"\\ud800"}',
    '{"Type":"SubscriptionConfirmation","SubscribeURL":"https://example.org/"}',
    "null",
)
"""One of each kind that has a name."""


def gathered(strategy: st.SearchStrategy[str], count: int) -> list[str]:
    """So many different examples. hypothesis draws other ones in each run."""
    found: dict[str, None] = {}

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=False,  # which it is where CI is set: a second round would draw the same
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def gather(body: str) -> None:
        found[body] = None

    while len(found) < count:
        gather()
    return list(found)


def _json(value: Any) -> str:
    return json.dumps(value)


def _wrapped(body: str) -> str:
    """As SNS does it without raw delivery."""
    return json.dumps({"Type": "Notification", "MessageId": "m", "Message": body})


def _celery(task: str, headers: dict[str, Any], body: Any) -> str:
    arguments = base64.b64encode(json.dumps([[body], {}, None]).encode()).decode()
    return json.dumps(
        {
            "body": arguments,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {**headers, "lang": "py", "task": task, "id": "6f1ad1c2"},
            "properties": {**headers, "body_encoding": "base64"},
        }
    )


def _invalid_event(event_type: str, data: Any) -> str:
    """Well-formed, but its data is none of its type's: a field too many."""
    known = data if isinstance(data, dict) else {}
    return _cloudevent(event_type, data={**known, "no such field": data})


def _broken_cloudevent(event_type: str, instead: dict[str, Any]) -> str:
    return _cloudevent(event_type, **{**instead, "id": "no uuid"})


def _cloudevent(event_type: str, **given: Any) -> str:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": "019aa000-0000-7000-8000-000000000000",
            "source": "urn:x",
            "type": event_type,
            "subject": "order/1",
            "time": "2026-11-20T10:00:00Z",
            **given,
        }
    )


def _flat_without_facts(event_type: str, timestamp: str) -> str:
    return json.dumps({"event_type": event_type, "timestamp": f"no time {timestamp}"})


def _of_aws(key: str, detail: Any) -> str:
    """What S3 or SES tell about, when a queue is pointed at by mistake."""
    record = {"eventSource": "aws:s3", "s3": {"object": {"key": key}}, "detail": detail}
    return json.dumps({"Records": [record], "eventType": "ObjectCreated"})
