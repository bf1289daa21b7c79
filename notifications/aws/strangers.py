"""Strangers: whoever is let at our topics and is declared nowhere.

They are told and left alone, because another team may have been let in on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_SHOWN = frozenset({"sqs", "lambda", "firehose", "application"})
"""Protocols whose endpoint is an ARN; another's is an address, of which no more than the host is
told."""

_HARMLESS = ("sns:get", "sns:list", "sns:subscribe", "sns:receive")
_OF_WHOM = frozenset({"aws:sourceowner", "aws:sourceaccount", "aws:principalaccount"})


@dataclass(frozen=True)
class Stranger:
    """kind: "subscriber" or "publisher"; name: from whom to whom."""

    kind: str
    name: str


def subscribers(topic: str, endpoints: Iterable[tuple[str, str]], ours: str) -> Iterator[Stranger]:
    """endpoints: protocol and endpoint of each subscription; ours: how the ARNs of our queues
    begin."""
    for protocol, endpoint in endpoints:
        if not endpoint.startswith(ours):
            shown = endpoint if protocol in _SHOWN else urlsplit(endpoint).hostname or ""
            yield Stranger("subscriber", f"{topic} → {' '.join(filter(None, (protocol, shown)))}")


def publishers(topic: str, policy: str, account: str) -> Iterator[Stranger]:
    """Whom the topic's policy lets publish, or change it, beyond its own account."""
    for statement in _listed(json.loads(policy or "{}").get("Statement")):
        if statement.get("Effect") != "Allow" or not _may_publish(statement):
            continue
        if not _is_bound(statement.get("Condition") or {}, account):
            for principal in _principals(statement.get("Principal", "*")):  # NotPrincipal: the rest
                if principal != account and f":{account}:" not in principal:
                    yield Stranger("publisher", f"{principal} → {topic}")


def _may_publish(statement: Mapping[str, Any]) -> bool:
    actions = [action.lower() for action in _listed(statement.get("Action"))]
    return not actions or not all(action.startswith(_HARMLESS) for action in actions)


def _is_bound(conditions: Mapping[str, Mapping[str, Any]], account: str) -> bool:
    """…IfExists binds nobody: whoever comes from elsewhere has no such key, and passes."""
    return any(
        operator in ("StringEquals", "StringEqualsIgnoreCase")
        and key.lower() in _OF_WHOM
        and set(_listed(values)) == {account}
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _principals(principal: Any) -> Iterator[str]:
    named = principal.values() if isinstance(principal, dict) else [principal]
    for each in named:
        yield from map(str, _listed(each))


def _listed(value: Any) -> list[Any]:
    """IAM writes a list of one without its brackets."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
