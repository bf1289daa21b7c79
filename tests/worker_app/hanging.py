"""The shop's worker with an event loop that hangs from SIGUSR2 on, of which it soon tells."""

from __future__ import annotations

import signal
import time

from notifications.worker import liveness
from orders_site.celery import app

liveness.TURN, liveness.LOOP_PATIENCE = 0.5, 5.0

signal.signal(signal.SIGUSR2, lambda *_: time.sleep(600))

__all__ = ["app"]
