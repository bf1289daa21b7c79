"""Was each order paid once, and given back what is owed? The provider's word against the shop's.

As in `orders_site.demo.verdict`, nothing here looks at the payments that the shop has written down:
it is told what was sold, and what the payment provider took and gave back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sale:
    """An order as the shop's own table has it in the end. Amounts in minor units.

    owed_back: by its refunds. declined: its card was, so nothing is due. excused: the provider said
    for good that it does not take it, or that it gives nothing back, and somebody was told.
    """

    order: int
    total: int
    owed_back: int = 0
    cancelled: bool = False
    declined: bool = False
    excused: bool = False

    @property
    def is_free(self) -> bool:
        """Whether it need not be charged."""
        return not self.total or self.cancelled or self.declined or self.excused

    @property
    def due(self) -> int:
        """What the provider should have of it: of a cancelled one nothing, charged or not."""
        return 0 if self.cancelled or self.declined else self.total - self.owed_back


@dataclass(frozen=True)
class Taking:
    """One charge that the provider made, and what of it has gone back."""

    order: int
    amount: int
    refunded: int = 0


@dataclass
class Balance:
    """charged: orders. All the others must stay empty; `off` is in words."""

    charged: int = 0
    uncharged: list[int] = field(default_factory=list)
    charged_twice: list[int] = field(default_factory=list)
    off: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.uncharged or self.charged_twice or self.off)


def balance(sales: Iterable[Sale], takings: Iterable[Taking]) -> Balance:
    """Order by order."""
    balanced, taken = Balance(), defaultdict[int, list[Taking]](list)
    for taking in takings:
        taken[taking.order].append(taking)
    for sale in sales:
        charges = taken.pop(sale.order, [])
        balanced.charged += bool(charges)
        if len(charges) > 1:
            balanced.charged_twice.append(sale.order)
        elif charges:
            balanced.off += _off(sale, charges[0])
        elif not sale.is_free:
            balanced.uncharged.append(sale.order)
    balanced.off += [f"order {order} was charged, and nobody placed it" for order in sorted(taken)]
    return balanced


def _off(sale: Sale, charge: Taking) -> Iterator[str]:
    if sale.declined:
        yield f"the card of order {sale.order} was declined, and {charge.amount} was charged"
    if charge.amount != sale.total:
        yield f"order {sale.order} cost {sale.total}, and {charge.amount} was charged"
    kept = charge.amount - charge.refunded
    if kept < 0 or (kept != sale.due and not (sale.excused and kept > sale.due)):
        yield f"of order {sale.order} the provider keeps {kept}, and {sale.due} is due"
