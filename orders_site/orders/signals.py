"""What the shop says about itself. Sent inside the transaction, with `order` as keyword.

`order_refunded` has `refund` beside it.

`send`, never `send_robust`: a receiver that fails must fail the order, or an order
could be kept of which nobody will ever hear.
"""

from django.dispatch import Signal

order_created = Signal()
order_shipped = Signal()
order_cancelled = Signal()
order_refunded = Signal()
