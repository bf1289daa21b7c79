"""Durations in words, for a terminal: "84 ms", "3.2 s", "12 min", "2 h 5 min", "3 d 4 h"."""

from __future__ import annotations


def words(seconds: float) -> str:
    """The units that matter at that length; of two clocks, it may be negative."""
    if seconds < 0:
        return f"-{words(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
