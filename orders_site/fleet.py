"""How many processes are planned, as the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping

from notifications.conf import Fleet
from orders_site.environment import read

COUNTS = ("FLEET_WEB", "FLEET_RELAYS", "FLEET_WORKERS")


def planned(environ: Mapping[str, str] = os.environ) -> Fleet | None:
    """None where nothing is planned; of what is left out, there is one."""
    counts = [read(name, environ) for name in COUNTS]
    if counts == [None, None, None]:
        return None
    web, relays, workers = (1 if count is None else count for count in counts)
    at_once = read("WORKER_CONCURRENCY", environ)
    return Fleet(
        web=web * read("WEB_CONCURRENCY", environ),
        web_threads=read("WEB_THREADS", environ),
        relays=relays,
        workers=workers,
        worker_threads=at_once,
        worker_children=at_once if read("WORKER_POOL", environ) == "prefork" else 0,
        others=read("FLEET_OTHER_CONNECTIONS", environ),
    )
