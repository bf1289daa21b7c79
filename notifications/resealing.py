"""Resealing: what is sealed by an older key, or was never sealed, is sealed by the newest.

After it, the keys of older versions may go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models, router
from django.db.models.functions import Cast

from notifications import audit, sealed
from notifications.exceptions import Unreadable
from notifications.models.sealed import SealedTextField

BATCH = 500


def columns() -> list[tuple[type[models.Model], str]]:
    """Every sealed column there is, of any app."""
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SealedTextField)
    ]


def stale(model: type[models.Model], column: str) -> models.QuerySet[Any]:
    """The rows that another key than the newest sealed, or none; `raw` is what stands there."""
    rows = model._default_manager.using(router.db_for_write(model))
    stale: models.QuerySet[Any] = (
        rows.annotate(raw=Cast(column, models.TextField()))
        .exclude(raw="")
        .exclude(raw__startswith=f"{sealed.PREFIX}{sealed.newest()}:")
        .order_by("pk")
    )
    return stale


def begin(*, by: str, reason: str = "") -> None:
    """Put on record, before the first is sealed anew, who has it done and how many there are."""
    found = {f"{of._meta.label}.{column}": stale(of, column).count() for of, column in columns()}
    audit.record(
        "addresses.reseal",
        by=by,
        reason=reason,
        target=f"key {sealed.newest()}",
        before={name: count for name, count in found.items() if count},
        count=sum(found.values()),
    )


def reseal(model: type[models.Model], column: str) -> Iterator[tuple[int, int]]:
    """Seal the column's stale texts anew, a batch at a time: how many, and how many could not be
    read. Those keep what they have, for the day their key is found."""
    last: Any = None
    while batch := list(_after(stale(model, column), last).values_list("pk", "raw")[:BATCH]):
        last = batch[-1][0]
        done = [_reseal_one(model, column, pk, raw) for pk, raw in batch]
        yield done.count(True), done.count(False)


def _after(rows: models.QuerySet[Any], last: Any) -> models.QuerySet[Any]:
    return rows if last is None else rows.filter(pk__gt=last)


def _reseal_one(model: type[models.Model], column: str, pk: Any, raw: str) -> bool:
    try:
        text = sealed.unseal(raw)
    except Unreadable:
        return False
    # Race: a worker may have written a newer one meanwhile, which is sealed as it should be.
    stale(model, column).filter(pk=pk, raw=raw).order_by().update(**{column: text})
    return True
