"""SealedTextField: a text that is sealed in its table and plain in Python."""

from __future__ import annotations

import logging
from typing import Any

from django.db import models

from notifications.exceptions import Unreadable
from notifications.sealed import seal, unseal

logger = logging.getLogger(__name__)


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """See `notifications.sealed`. It cannot be searched: keep a keyed hash beside it for that.

    One that cannot be read any more is empty, and logged with what it lacks: a page of other
    rows must not fail for it.
    """

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        try:
            return unseal(value) if value else value
        except Unreadable as error:
            logger.warning("A %s cannot be read: %s", self.name, error)
            return ""

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return seal(prepared) if prepared else prepared
