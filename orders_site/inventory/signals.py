"""What the inventory says about itself. Sent inside the transaction that made it true.

`stock_low` has `item`, `order_unfulfillable` has `reservation`. `send`, never `send_robust`, as in
`orders.signals`.
"""

from django.dispatch import Signal

stock_low = Signal()
order_unfulfillable = Signal()
