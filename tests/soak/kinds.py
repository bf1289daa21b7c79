"""What is watched, and by how much each may grow. docs/reliability.md, "Soak", has the reasons."""

from __future__ import annotations

from enum import StrEnum

from tests.soak.judge import Bound


class Kind(StrEnum):
    """A series is one of these, of somebody: ("memory", "worker-mail")."""

    MEMORY = "memory"
    DESCRIPTORS = "file descriptors"
    THREADS = "threads"
    CONNECTIONS = "database connections"
    SIZE = "size for each live row"
    DEAD = "dead rows"
    UNDER_WAY = "messages under way"
    UNPUBLISHED = "dispatches not yet out"
    MEDIAN_LAG = "lag, p50"
    LAG = "lag, p95"


BOUNDS = {
    Kind.MEMORY: Bound("MiB", an_hour=30.0, least=5.0),
    Kind.DESCRIPTORS: Bound("", an_hour=12.0, least=4.0),
    Kind.THREADS: Bound("", an_hour=12.0, least=4.0),
    Kind.CONNECTIONS: Bound("", an_hour=12.0, least=4.0),
    Kind.SIZE: Bound("bytes", an_hour=0.5, least=0.1, share=True),
    Kind.DEAD: Bound("of autovacuum's threshold", an_hour=6.0, least=1.0),
    Kind.UNDER_WAY: Bound("messages", an_hour=600.0, least=50.0),
    Kind.UNPUBLISHED: Bound("dispatches", an_hour=600.0, least=50.0),
    Kind.MEDIAN_LAG: Bound("s", an_hour=6.0, least=1.0),
    Kind.LAG: Bound("s", an_hour=60.0, least=5.0),
}
