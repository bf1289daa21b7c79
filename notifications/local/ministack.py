"""The default embedded SNS and SQS: ministack, in a virtual environment of its own.

Its own because it pins a botocore that does not fit beside a newer boto3.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from notifications.local.directories import locked
from notifications.local.emulator import REGION, Emulator
from notifications.local.parts import http_status
from notifications.local.ports import HOST

REQUIREMENTS = Path(__file__).parent / "ministack.txt"
"""Compiled by `uv pip compile --universal --python-version 3.11 --generate-hashes --no-header
--override <file>`, the file naming botocore and graphql-core: ministack pins both for itself, and
a graphql-core with a known hole (CVE-2026-134795). So pip is not to look at what it asks for."""

SERVICES = "sns,sqs,sts,iam,cloudwatch,cloudformation"


class Ministack(Emulator):
    """State is kept over a clean stop, lost with a crash."""

    name = "ministack"
    reset_path = "/_ministack/reset"
    instead = (
        "To use another emulator set AWS_ENDPOINT_URL; for your AWS account set LOCAL_AWS=account."
    )

    def prepare(self) -> None:
        """Install it on first use, and again when its requirements have changed."""
        with locked(self.directories.shared / "ministack.lock"):
            if not (self._venv / "ready").exists():
                self._install()

    def command(self) -> Sequence[str | Path]:
        return [self._python, "-m", "ministack"]

    def program_environment(self) -> Mapping[str, str]:
        state = self.directories.home / "ministack-state"
        state.mkdir(exist_ok=True)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "SERVICES": SERVICES,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1" if self.durable else "0",
            "STATE_DIR": str(state),
            "TMPDIR": str(state),  # its pid file
            "LOG_LEVEL": "WARNING",
            # It removes "its" containers when it starts: those of another one of the same person.
            "DOCKER_HOST": "unix:///nonexistent",
        }

    def answers(self) -> bool:
        return http_status(self.port, "/_ministack/ready") == 200

    @property
    def _venv(self) -> Path:
        key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
        return self.directories.shared / "ministack" / key

    @property
    def _python(self) -> Path:
        return self._venv / "bin" / "python"

    def _install(self) -> None:
        self.tell("Installing ministack (SNS and SQS on this machine), once …")
        shutil.rmtree(self._venv, ignore_errors=True)  # what an interrupted one left
        self.run([sys.executable, "-m", "venv", self._venv], purpose="venv", within=120)
        pip: list[str | Path] = [self._python, "-m", "pip", "--disable-pip-version-check"]
        packages: list[str | Path] = ["--no-deps", "--require-hashes", "-r", REQUIREMENTS]
        self.run([*pip, "install", "--quiet", *packages], purpose="install", within=900)
        (self._venv / "ready").touch()
