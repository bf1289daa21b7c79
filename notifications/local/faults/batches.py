"""Batches of SQS (JSON) and SNS (query protocol), taken apart so that single entries can fail."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from notifications.local.faults.http import Message, Request, response

_SQS = frozenset({"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"})
_SNS = frozenset({"PublishBatch"})
_MEMBER = re.compile(r"PublishBatchRequestEntries\.(?:member|entry)\.(\d+)\.(.+)")
_SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_MESSAGE = "failed by the fault proxy"


def entry_ids(request: Request) -> list[str]:
    """The ids of the batch's entries, in order; none for anything that is no batch."""
    if request.action in _SQS:
        return [entry["Id"] for entry in json.loads(request.body)["Entries"]]
    if request.action in _SNS:
        return [entry["Id"] for entry in _sns_entries(request)]
    return []


def without(request: Request, ids: Collection[str]) -> Request | None:
    """The same batch without these entries, or None when nothing is left of it."""
    if len(ids) == len(entry_ids(request)):
        return None
    if request.action in _SQS:
        body = json.loads(request.body)
        body["Entries"] = [entry for entry in body["Entries"] if entry["Id"] not in ids]
        return request.with_body(json.dumps(body).encode())
    kept = [entry for entry in _sns_entries(request) if entry["Id"] not in ids]
    fields = {name: value for name, value in request.form.items() if not _MEMBER.match(name)}
    for number, entry in enumerate(kept, start=1):
        prefix = f"PublishBatchRequestEntries.member.{number}."
        fields |= {prefix + name: value for name, value in entry.items()}
    return request.with_body(urlencode(fields).encode())


def only(request: Request, ids: Collection[str]) -> Request:
    """The same batch with these entries alone."""
    others = [entry for entry in entry_ids(request) if entry not in ids]
    return without(request, others) or request


def report(request: Request, answer: Message | None, ids: Collection[str], code: str) -> Message:
    """The emulator's answer (None: it was not asked), telling that these entries failed."""
    if request.action in _SQS:
        return _sqs_report(answer, ids, code)
    return _sns_report(answer, ids, code)


def _sqs_report(answer: Message | None, ids: Collection[str], code: str) -> Message:
    body: dict[str, list[dict[str, Any]]] = json.loads(answer.body) if answer else {}
    succeeded = [entry for entry in body.get("Successful", []) if entry["Id"] not in ids]
    failed = [
        {"Id": entry, "SenderFault": False, "Code": code, "Message": _MESSAGE} for entry in ids
    ]
    whole = {"Successful": succeeded, "Failed": [*body.get("Failed", []), *failed]}
    return response(200, json.dumps(whole).encode(), content_type="application/x-amz-json-1.0")


def _sns_report(answer: Message | None, ids: Collection[str], code: str) -> Message:
    text = answer.body.decode() if answer else ""
    members = re.findall(r"<member>.*?</member>", text, re.DOTALL)
    failed = [member for member in members if "<Code>" in member]
    struck = {f"<Id>{escape(entry)}</Id>" for entry in ids}
    succeeded = [
        member
        for member in members
        if member not in failed and not any(entry in member for entry in struck)
    ]
    failed += [
        f"<member>{entry}<Code>{code}</Code><Message>{_MESSAGE}</Message>"
        "<SenderFault>false</SenderFault></member>"
        for entry in sorted(struck)
    ]
    whole = (
        f'<PublishBatchResponse xmlns="{_SNS_NAMESPACE}"><PublishBatchResult>'
        f"<Successful>{''.join(succeeded)}</Successful><Failed>{''.join(failed)}</Failed>"
        "</PublishBatchResult><ResponseMetadata><RequestId>fault-proxy</RequestId>"
        "</ResponseMetadata></PublishBatchResponse>"
    )
    return response(200, whole.encode(), content_type="text/xml")


def _sns_entries(request: Request) -> list[dict[str, str]]:
    entries: dict[int, dict[str, str]] = {}
    for name, value in request.form.items():
        if match := _MEMBER.match(name):
            entries.setdefault(int(match[1]), {})[match[2]] = value
    return [entries[number] for number in sorted(entries)]
