"""What came in over HTTP, as it is handed on to the receipts queue: read already, and no address.

Both directions live here, side by side. A call of Meta's may hold thousands of receipts, and SQS
takes 256 KiB: so it is cut into bodies of a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from notifications.channels.receipts.base import Said
from notifications.exceptions import NotAnEvent
from notifications.receipts import ReceiptsCame
from notifications.replies import Heard

KEY = "handedOn"
MOST = 100
"""In one body: at most 150 KiB, for a detail is cut at 1,000 characters."""


def write(found: Sequence[Said | Heard]) -> Iterator[tuple[str, str]]:
    """The subject and the text of each body."""
    for start in range(0, len(found), MOST):
        some = found[start : start + MOST]
        receipts = [each for each in some if isinstance(each, Said)]
        came = ReceiptsCame(
            subject=receipts[0].subject or receipts[0].told.subject if receipts else "",
            receipts=tuple(each.told for each in receipts),
            heard=tuple(each for each in some if isinstance(each, Heard)),
        )
        subject = came.subject or came.heard[0].subject
        yield subject, json.dumps({KEY: came.model_dump(mode="json")}, separators=(",", ":"))


def read(body: Mapping[str, Any]) -> list[Said | Heard]:
    """What `write` wrote. Raises NotAnEvent."""
    try:
        came = ReceiptsCame.model_validate(body[KEY])
    except ValidationError:
        raise NotAnEvent("what was handed on cannot be read") from None
    return [*(Said(told, came.subject) for told in came.receipts), *came.heard]
