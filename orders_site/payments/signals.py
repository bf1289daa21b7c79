"""What payments say about themselves. Sent inside the transaction, with `payment` as keyword."""

from django.dispatch import Signal

payment_completed = Signal()
payment_failed = Signal()
