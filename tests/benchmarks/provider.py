"""The email provider of a benchmark: `lean_ses.py` as a process of its own."""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen

from tests.benchmarks.ground import ROOT, Ground

READY_WITHIN = 10.0


class Provider:
    """Answers each mail after `seconds`. `environment` points boto3 at it."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        self.seconds = seconds
        script = ROOT / "tests" / "benchmarks" / "lean_ses.py"
        name = f"provider-{1000 * seconds:.0f}-ms"
        process = ground.start([sys.executable, script, str(seconds)], name=name)
        process.wait_until(lambda: "port" in process.log, within=READY_WITHIN)
        self.url = f"http://127.0.0.1:{process.log.split()[-1]}"
        self.environment = {"AWS_ENDPOINT_URL_SESV2": self.url}

    def taken(self) -> int:
        """How many mails it took."""
        with urlopen(self.url, timeout=READY_WITHIN) as answer:  # noqa: S310 - our own process
            taken: int = json.load(answer)["taken"]
        return taken
