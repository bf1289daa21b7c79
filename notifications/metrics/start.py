"""Start: what a worker or a relay does for its metrics before it begins."""

from __future__ import annotations

from http import HTTPStatus

from notifications import process_server
from notifications.conf import conf
from notifications.metrics import emf, processes
from notifications.metrics.exposition import exposition
from notifications.process_server import Answer


def begin(*, forks: bool = False) -> None:
    """Before anything is counted, and before children are forked, if it `forks`."""
    if forks and (conf().process_bind or conf().metrics_emf):
        processes.share()
    emf.start()
    process_server.register("/metrics", _answer)


def _answer() -> Answer:
    return HTTPStatus.OK, *exposition()
