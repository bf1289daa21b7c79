"""The seam between the API and the relays' housekeeping: what is done now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from notifications.chores import Chore, register
from orders_site.api.models import KeptAnswer


def forget_answers(*, go_on: Callable[[], bool], **_: Any) -> int:
    """Delete the answers that have been kept for their day; how many."""
    return KeptAnswer.objects.forget_old(go_on=go_on)


register(Chore("forgetting answers under idempotency keys", every=60, run=forget_answers))
