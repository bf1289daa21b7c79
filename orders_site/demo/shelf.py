"""Is every piece accounted for? What lies on the shelf against what was sold from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parcel:
    """What an order asked for. holds: it was neither cancelled and brought back, nor short."""

    order: int
    holds: bool
    pieces: Mapping[str, int] = field(default_factory=dict)
    """By SKU."""


def astray(
    before: Mapping[str, int], now: Mapping[str, int], parcels: Iterable[Parcel]
) -> Iterator[str]:
    """What is wrong, in words, of each SKU that is kept in stock: pieces on hand before and now."""
    held = Counter[str]()
    for parcel in parcels:
        if parcel.holds:
            held.update(parcel.pieces)
    for sku, pieces in sorted(before.items()):
        there, left = now.get(sku, 0), pieces - held[sku]
        if there != left or there < 0:
            yield (
                f"{sku}: {pieces} before, orders hold {held[sku]}, so {left} are left; "
                f"{there} on hand"
            )
