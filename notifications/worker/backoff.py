"""How long the worker leaves SQS alone after a call that failed."""

from __future__ import annotations

import random


def back_off(failures: int, first: float, longest: float) -> float:
    """Seconds: `first`, doubled with each further failure up to `longest`; half of it random."""
    limit = min(first * 2.0 ** min(failures - 1, 30), longest)
    return random.uniform(limit / 2, limit)  # noqa: S311 - spreads load, guards nothing
