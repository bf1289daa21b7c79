"""What the inventory refuses, and why."""

from __future__ import annotations


class StockRefused(ValueError):
    """What was asked for is not possible: the text names the field and the bound."""
