"""What people have read about packages that no registry here answers for: `readings.toml`."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path

READINGS = Path(__file__).with_name("readings.toml")
HOLDS = timedelta(days=30)


def read_lately(today: date, file: Path = READINGS) -> frozenset[str]:
    """Each "name version" about which somebody read in the last 30 days, and found nothing open."""
    readings = tomllib.loads(file.read_text())["reading"]
    return frozenset(
        pin
        for reading in readings
        if timedelta(0) <= today - reading["on"] <= HOLDS
        for pin in reading["mended"]
    )
