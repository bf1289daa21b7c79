"""The app, and what a benchmark leaves out of it.

BENCH_GROUP_COMMIT is the most that one statement claims or concludes: 1 is a statement for each
message. BENCH_HEARTBEAT=off lets nobody look after what the worker holds.
"""

import os

from django.apps import AppConfig


class Mailer(AppConfig):
    name = "tests.benchmarks.mailer"

    def ready(self) -> None:
        if most := os.environ.get("BENCH_GROUP_COMMIT"):
            from notifications.models.claim import claims
            from notifications.models.conclusion import conclusions

            claims.most = conclusions.most = int(most)
        if os.environ.get("BENCH_HEARTBEAT") == "off":
            from notifications.worker.heartbeat import Heartbeat

            Heartbeat.watch = lambda self, queues: None  # type: ignore[method-assign]
