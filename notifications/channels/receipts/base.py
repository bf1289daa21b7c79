"""What the readers share: bodies checked by models, tags read back, words made receipts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from notifications.channels.answers import LONGEST_CODE
from notifications.channels.correlation import Correlation
from notifications.channels.phone_numbers import dialled
from notifications.exceptions import NotAnEvent
from notifications.models.receipt import Receipt
from notifications.receipts import Told
from notifications.recipients import address_hash
from notifications.redaction import redact

Kind = Receipt.Kind

_TAG = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,9})\.(\d{1,9})\Z")


class Body(BaseModel):
    """Part of a provider's body: what we read of it, under its own names; the rest is passed by."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


@dataclass(frozen=True)
class Said:
    """One receipt, and what it is about."""

    told: Told
    subject: str


_Body = TypeVar("_Body", bound=Body)


def parsed(model: type[_Body], body: Mapping[str, Any]) -> _Body:
    """The body as its model, or NotAnEvent naming the fields that are wrong, never their values."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = (".".join(map(str, problem["loc"])) for problem in error.errors())
        raise NotAnEvent(f"a receipt whose {', '.join(wrong)} cannot be read") from None


def said(
    correlation: Correlation,
    *,
    provider: str,
    message_id: str,
    kind: Kind,
    occurred_at: datetime,
    code: str = "",
    detail: str = "",
    address: str = "",
    undated: bool = False,
    opted_out: bool = False,
) -> list[Said]:
    """One receipt; none when the message has no tag of ours: other apps share the account.

    address: where it went, if that is said; only its keyed hash travels on.
    """
    tag = _TAG.match(correlation.tag)
    if tag is None:
        return []
    told = Told(
        delivery_id=UUID(tag[1]),
        generation=int(tag[2]),
        number=int(tag[3]),
        provider=provider,
        provider_message_id=message_id[:255],
        kind=kind,
        code=redact(code, limit=LONGEST_CODE),
        detail=redact(detail, address=address),
        occurred_at=occurred_at,
        undated=undated,
        address_hash=address_hash(dialled(address)),
        opted_out=opted_out,
    )
    return [Said(told, correlation.subject)]
