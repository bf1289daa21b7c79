"""Rendered: what somebody was told, word for word, kept for as long as the retention setting says.

It is packed small, for sealed texts do not shrink in the table, and sealed. It is written with the
outcome of its send, so that keeping it costs no statement, and found again by whoever resends it.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, fields
from uuid import UUID

from django.db import router

from notifications.channels.base import Content
from notifications.conf import conf
from notifications.exceptions import PermanentError
from notifications.models import Delivery, RenderedContent
from notifications.models.claim import Claim
from notifications.sealed import seal

NOT_KEPT = "original_not_kept"
"""The reason why a delivery failed whose original text was to be sent again, and is gone."""


def packed(content: Content) -> str:
    """What the table keeps of it; empty where the setting says that nothing is kept."""
    if not conf().retention.bodies:
        return ""
    text = json.dumps(asdict(content), ensure_ascii=False, separators=(",", ":"))
    whole = text.encode(errors="surrogatepass")  # json.loads reads such bytes
    return seal(base64.b85encode(zlib.compress(whole)).decode())


def unpacked(text: str) -> Content:
    """The content of a row of RenderedContent, which has unsealed it.

    Raises ValueError: its key is gone, and the row reads empty.
    """
    try:
        given = json.loads(zlib.decompress(base64.b85decode(text)))
    except zlib.error as error:
        raise ValueError("what is kept cannot be read any more") from error
    return Content(
        **{each.name: given[each.name] for each in fields(Content) if each.name in given}
    )


def kept(delivery_id: UUID) -> tuple[int, Content] | None:
    """The generation that was sent last of those whose text is kept, and that text."""
    row = RenderedContent.objects.latest_of(delivery_id)
    if row is None:
        return None
    try:
        return row.generation, unpacked(row.content)
    except ValueError:
        return None


def original(claim: Claim) -> Content | None:
    """The text that this delivery is to repeat; None: it is to be rendered.

    Only a resend can be told to: a first send asks nothing. Raises PermanentError when it is kept
    no longer: it may have grown too old since the resend was ordered.
    """
    if not claim.generation:
        return None
    generation = Delivery.objects.original_of(claim)
    if generation is None:
        return None
    rows = RenderedContent.objects.using(router.db_for_write(RenderedContent))
    row = rows.filter(delivery_id=claim.delivery_id, generation=generation).first()
    try:
        return unpacked(row.content if row else "")
    except ValueError:
        raise PermanentError(
            "the original text is kept no longer: resend it as it is rendered now", NOT_KEPT
        ) from None
