"""The SDK's call and nothing else: `python -m tests.benchmarks.bare_sends THREADS MAILS`

So many mails from so many threads of one process, by the email adapter: no queue, no record, no
limit. What a consumer does besides comes on top of what this costs. The first mails open the
connections and are not measured. Prints mails, seconds and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django

from notifications.channels.base import Content, Message
from notifications.channels.email import SesEmail
from tests.benchmarks import ours
from tests.benchmarks.ground import Drained, Ground

WITHIN = 120


def send_alone(ground: Ground, threads: int, mails: int, **env: str) -> Drained:
    """A process that does this, to its end."""
    command = [sys.executable, "-m", __name__, str(threads), str(mails)]
    process = ground.start(command, name="sends", **ours.MAILER.environment, **env)
    if process.wait(within=WITHIN):
        raise RuntimeError(f"the sends failed:\n{process.tail(40)}")
    took = json.loads(process.log.splitlines()[-1])
    return Drained(mails, took["mails"], took["seconds"], took["cpu"], requests={})


def main(threads: int, mails: int) -> None:
    django.setup()
    adapter = SesEmail("shop@example.org")
    adapter.prepare()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(adapter.send, map(_mail, range(threads))))
        started, cpu = time.perf_counter(), time.process_time()
        list(pool.map(adapter.send, map(_mail, range(threads, mails))))
        took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps({"mails": mails - threads, **took}))


def _mail(number: int) -> Message:
    """The one that the mailer's templates make."""
    return Message(
        address=f"customer-{number % 997}@example.org",
        content=Content(f"Thank you for order {number}.\n", subject=f"Your order {number}"),
        tag=f"0192f0c1-2d3e-7f4a-8b5c-{number:012x}.0.1",
        idempotency_key=f"0192f0c1-2d3e-7f4a-8b5c-{number:012x}.0",
        event_type="bench.ordered",
        subject=f"order/{number}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
