"""The parts under the lab: PostgreSQL, fauxqs with its data directory, the fault proxy in front of
it, and the provider sandbox. All keep what they hold when they are killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.parts import Part
from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack

RATES = {"EMAIL_RATE_LIMIT": "50/s", "SMS_RATE_LIMIT": "25/s"}
"""The accounts' limits where the environment sets none; the demo's."""

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"


@dataclass(frozen=True)
class Ground:
    """environment: of our processes, for which AWS lies behind the proxy. direct: of the lab
    itself, which sees the parts as they are."""

    stack: Stack
    proxy: FaultClient
    sandbox: SandboxClient
    environment: Mapping[str, str]
    direct: Mapping[str, str]

    def part(self, name: str) -> Part:
        return self.stack.part(name)


@contextmanager
def ground(*, settings: str) -> Iterator[Ground]:
    """Everything started; thrown away at the end. settings: the Django settings' module."""
    home = LOCAL / "chaos"
    home.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=home) as directory,
        Stack(Path(directory), broker="fauxqs", shared=LOCAL, given={}) as stack,
        SandboxClient(stack.environment["PROVIDER_SANDBOX_URL"]) as sandbox,
    ):
        proxy = FaultProxy(
            stack.directories, stack.processes, target=stack.environment["AWS_ENDPOINT_URL"]
        )
        proxy.start()
        direct = {
            **RATES,
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **stack.environment,
            "DJANGO_SETTINGS_MODULE": settings,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        yield Ground(
            stack=stack,
            proxy=proxy.client,
            sandbox=sandbox,
            environment={**direct, **proxy.environment},
            direct=direct,
        )
