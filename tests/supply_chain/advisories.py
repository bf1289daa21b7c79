"""What PyPI knows to be wrong with pinned versions of packages.

pip-audit asks for the page of each version. A mirror may have the pages of whole projects only;
those speak of a project's newest release, which does where that is the one that is pinned.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

PROJECTS = "https://pypi.org/pypi"
WRONG = {"pycrypto": "2.6.1"}
"""The last release of a project that was given up, with two holes (CVE-2013-7459, CVE-2018-6594):
of a registry that does not know them, nothing is learnt of anything else."""


@dataclass(frozen=True)
class Known:
    """Advisories by "name version", and which of those versions could be asked about."""

    advisories: Mapping[str, list[str]]
    unasked: frozenset[str]
    asked: frozenset[str]


def known_of(pins: Mapping[str, str], pip_audit: Path) -> Known:
    """Of each pin (name → version). Nothing, of a registry that does not know what is WRONG."""
    return believed(_asked({**pins, **WRONG}, pip_audit))


def believed(known: Known) -> Known:
    """What was learnt beside WRONG, where that is known; else all of it counts as not asked."""
    wrong = set(map(_pin, WRONG.items()))
    if not wrong <= known.advisories.keys():
        return Known({}, (known.asked | known.unasked) - wrong, frozenset())
    advisories = {pin: ids for pin, ids in known.advisories.items() if pin not in wrong}
    return Known(advisories, known.unasked, known.asked - wrong)


def _asked(pins: Mapping[str, str], pip_audit: Path) -> Known:
    answers = by_version(pins, pip_audit)
    missing = [pin for pin in pins.items() if _pin(pin) not in answers]
    with ThreadPoolExecutor(8) as threads:
        projects = threads.map(by_project, missing)
        answers |= {
            _pin(pin): ids for pin, ids in zip(missing, projects, strict=True) if ids is not None
        }
    return Known(
        advisories={pin: ids for pin, ids in answers.items() if ids},
        unasked=frozenset(map(_pin, pins.items())) - answers.keys(),
        asked=frozenset(answers),
    )


def by_version(pins: Mapping[str, str], pip_audit: Path) -> dict[str, list[str]]:
    """ "name version" → its advisories, by pip-audit. What it could not ask about is left out."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in pins.items())
        file.flush()
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        ran = subprocess.run(
            [pip_audit, *options, "--requirement", file.name],
            check=False,
            capture_output=True,
            text=True,
        )
    if not ran.stdout:
        print(ran.stderr)
        return {}
    return {
        _pin((of["name"], of["version"])): [hole["id"] for hole in of["vulns"]]
        for of in json.loads(ran.stdout)["dependencies"]
        if "skip_reason" not in of
    }


def by_project(pin: tuple[str, str], projects: str = PROJECTS) -> list[str] | None:
    """A version's advisories, by its project's page: None where that speaks of another version.

    https://docs.pypi.org/api/json/: without a version, `vulnerabilities` are those of the newest.
    """
    name, version = pin
    try:
        page = httpx.get(f"{projects}/{name}/json", timeout=30).raise_for_status().json()
    except httpx.HTTPError:
        return None
    if page["info"]["version"] != version:
        return None
    return [hole["id"] for hole in page["vulnerabilities"] if not hole["withdrawn"]]


def _pin(pin: tuple[str, str]) -> str:
    return " ".join(pin)
