"""The packages that are installed, as the pinned files name them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "requirements.txt"
EMULATOR = ROOT / "notifications" / "local" / "ministack.txt"
NODE = ROOT / "notifications" / "local" / "fauxqs.package-lock.json"
_PIN = re.compile(r"([a-zA-Z0-9._-]+)==(\S+)(?: ; ([^\\]+))?")


def pinned(file: Path) -> dict[str, str]:
    """Name → version, of what a requirements file installs on this machine."""
    found = (_PIN.match(line) for line in file.read_text().splitlines())
    return {
        normalised(pin[1]): pin[2]
        for pin in found
        if pin and (pin[3] is None or Marker(pin[3].strip()).evaluate())
    }


def node_packages() -> dict[str, str]:
    """Name → licence, as npm's lock file has them."""
    packages = json.loads(NODE.read_text())["packages"]
    return {
        path.rpartition("node_modules/")[2]: str(of.get("license", ""))
        for path, of in packages.items()
        if path
    }


def deployed(declared: list[str]) -> set[str]:
    """What these requirements install, and all that those require: without our extras."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in declared]
    while waiting:
        requirement = waiting.pop()
        name = normalised(requirement.name)
        known = f"{name}[{','.join(sorted(requirement.extras))}]"
        if known in found or not _applies(requirement, ""):
            continue
        found |= {name, known}
        waiting += _of(name, requirement.extras)
    return {name for name in found if "[" not in name}


def normalised(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def _of(name: str, extras: set[str]) -> Iterator[Requirement]:
    for text in requires(name) or []:
        requirement = Requirement(text)
        if any(_applies(requirement, extra) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
