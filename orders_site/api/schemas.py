"""What travels in and out, with its bounds and its examples for the OpenAPI page.

Requests are strict: an unknown field, a number in quotes or a fraction is refused, not mended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from orders_site.orders.models import MAX_QUANTITY, Order, OrderLine, Refund
from orders_site.orders.money import CURRENCIES, MAX_AMOUNT, Money
from orders_site.orders.services import MAX_LINES

BIGINT = 2**63 - 1
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no text with one."""
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"


class In(BaseModel):
    """What a request sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewLine(In):
    """So many of one product."""

    sku: Annotated[
        str,
        Field(min_length=1, max_length=40, pattern=_NO_CONTROLS, examples=["MUG-SALT-DE"]),
    ]
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, examples=[2])] = 1


class NewOrder(In):
    """What a customer wants. All products are sold in one currency, at today's prices."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"customer": 7, "lines": [{"sku": "MUG-SALT-DE", "quantity": 2}]}]
        }
    )

    customer: Annotated[int, Field(ge=1, le=BIGINT, description="The customer's id.", examples=[7])]
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=MAX_LINES)]


class Shipment(In):
    """With whom the parcel left, and how it is found there."""

    carrier: Annotated[str, Field(min_length=1, max_length=40, examples=["DHL"])]
    tracking_code: Annotated[
        str, Field(min_length=1, max_length=64, examples=["JJD0001234567890123"])
    ]


class Cancellation(In):
    """Why; it decides what the customer is told."""

    reason: Annotated[
        str,
        Field(
            max_length=20,
            examples=["customer_request"],
            json_schema_extra={"enum": Order.CancelReason.values},
        ),
    ]


class Amount(In):
    """Money in whole minor units: 1999 EUR is 19.99 €, 1999 JPY is ¥1,999."""

    amount_minor: Annotated[int, Field(ge=1, le=MAX_AMOUNT, examples=[1999])]
    currency: Annotated[
        str,
        Field(pattern="^[A-Z]{3}$", examples=["EUR"], json_schema_extra={"enum": list(CURRENCIES)}),
    ]


class NewRefund(In):
    """Why, and how much; all that is left where no amount is given."""

    reason: Annotated[
        str,
        Field(
            max_length=20,
            examples=["damaged"],
            json_schema_extra={"enum": Refund.Reason.values},
        ),
    ]
    amount: Amount | None = None


class Price(BaseModel):
    """Money in whole minor units, and as an English reader writes it."""

    amount_minor: int = Field(examples=[4800])
    currency: str = Field(examples=["EUR"])
    text: str = Field(examples=["€48.00"])

    @classmethod
    def of(cls, money: Money) -> Price:
        return cls.model_construct(
            amount_minor=money.amount, currency=money.currency, text=str(money)
        )


class LineOut(BaseModel):
    """A line, named and priced as it was when the order was placed."""

    sku: str = Field(examples=["MUG-SALT-DE"])
    name: str = Field(examples=["Salt-Glazed Mug, 300 ml"])
    quantity: int = Field(examples=[2])
    unit_price: Price
    total: Price


class OrderOut(BaseModel):
    """An order, as the client that placed it sees it. Of the customer there is only the id."""

    id: int = Field(examples=[123])
    state: str = Field(examples=["placed"], json_schema_extra={"enum": Order.State.values})
    customer: int = Field(examples=[7])
    lines: list[LineOut]
    total: Price
    refunded: Price = Field(description="What refunds owe back, carried out or not.")
    placed_at: datetime
    carrier: str = Field(description="Empty until it is shipped.", examples=[""])
    tracking_code: str = Field(examples=[""])
    shipped_at: datetime | None = Field(examples=[None])
    cancel_reason: str = Field(examples=[""])
    cancelled_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, order: Order, lines: list[OrderLine]) -> OrderOut:
        """Not validated again: these are rows that the database's own constraints bind."""
        return cls.model_construct(
            id=order.pk,
            state=str(order.state),
            customer=order.customer_id,
            lines=[_line(order.currency, line) for line in lines],
            total=Price.of(order.total),
            refunded=Price.of(order.refunded),
            placed_at=order.placed_at,
            carrier=order.carrier,
            tracking_code=order.tracking_code,
            shipped_at=order.shipped_at,
            cancel_reason=str(order.cancel_reason),
            cancelled_at=order.cancelled_at,
        )


def _line(currency: str, line: OrderLine) -> LineOut:
    unit_price = Money(currency, line.unit_price_minor)
    return LineOut.model_construct(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=Price.of(unit_price),
        total=Price.of(unit_price * line.quantity),
    )


class Page(BaseModel):
    """Orders, the latest first. `next` is the `after` of the page behind it, null at the end."""

    orders: list[OrderOut]
    next: int | None = Field(examples=[101])


class WrongField(BaseModel):
    field: str = Field(description="Its path in the request.", examples=["lines.0.quantity"])
    message: str = Field(examples=["Input should be less than or equal to 999"])


class ErrorBody(BaseModel):
    code: str = Field(description="For programs; it does not change.", examples=["invalid"])
    message: str = Field(
        description="For people.",
        examples=["lines.0.quantity: Input should be less than or equal to 999."],
    )
    fields: list[WrongField]
    state: str | None = Field(
        default=None, description="With illegal_transition: what the order is.", examples=[None]
    )
    allowed: list[str] | None = Field(
        default=None,
        description="With illegal_transition: what it can still become.",
        examples=[None],
    )


class ErrorOut(BaseModel):
    """What every error looks like."""

    error: ErrorBody
