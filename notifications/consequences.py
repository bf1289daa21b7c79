"""Consequences: what else follows from how a send ended, once that is on record.

The adapter may keep account of the recipient (a partner's endpoint that fails). The shop is told of
an address that the provider says is nobody's any more (NOTIFICATIONS["ADDRESS_GONE"]), so that it
may forget it. Neither can undo the outcome, or fail it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

from celery.exceptions import SoftTimeLimitExceeded
from django.db import router, transaction
from django.utils.module_loading import import_string

from notifications.conf import conf
from notifications.duties import Duty
from notifications.exceptions import NotificationError, PermanentError
from notifications.models import Delivery

logger = logging.getLogger(__name__)


def draw(duty: Duty, error: Exception | None) -> None:
    """`error`: what the send ended with; None: it was accepted. No error goes past it, but a
    task's soft time limit."""
    try:
        if error is None:
            duty.adapter.note(duty.recipient.reference, None)
            return
        if isinstance(error, NotificationError) and error.of_recipient:
            duty.adapter.note(duty.recipient.reference, error)
        if isinstance(error, PermanentError) and error.code in duty.adapter.gone:
            _tell_shop(duty)
    except SoftTimeLimitExceeded:
        raise
    except Exception as trouble:  # noqa: BLE001 - the outcome stands, whatever comes of this
        logger.warning(
            "what followed for %s of a send over %s was lost: %s",
            duty.recipient.reference,
            duty.channel,
            type(trouble).__name__,
        )


def _tell_shop(duty: Duty) -> None:
    if not (path := conf().address_gone):
        return
    hook = cast(Callable[[str, str, str], None], import_string(path))
    with transaction.atomic(using=router.db_for_write(Delivery)):  # all that it does, or nothing
        hook(duty.channel, duty.recipient.reference, duty.recipient.address)
    logger.info("the shop was told that an address of %s is gone", duty.recipient.reference)
