"""SMS: what people write back to a number of AWS End User Messaging (two-way SMS).

Source: AWS End User Messaging SMS User Guide, "Example of a two-way SMS message payload for Amazon
SNS topics" (docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from notifications.channels.receipts.base import Body, parsed
from notifications.replies import Heard, heard, word_of


class _Message(Body):
    inbound_message_id: str
    origination_number: str
    message_keyword: str = ""
    message_body: str = ""


def read(body: Mapping[str, Any]) -> list[Heard]:
    """One message. Raises NotAnEvent. AWS does not say when it was written: now, then.

    A keyword that AWS has found in it counts as much as the whole text: on "STOP" AWS has ended it
    already.
    """
    message = parsed(_Message, body)
    keyword = message.message_keyword
    return heard(
        channel="sms",
        address=message.origination_number,
        text=keyword if word_of(keyword) else message.message_body,
        message_id=message.inbound_message_id,
        occurred_at=timezone.now(),
    )
