"""What PyPI knows to be wrong with pinned versions of packages.

pip-audit asks for the page of each version. A mirror may have the pages of whole projects only;
those speak of a project's newest release, which does where that is the one that is pinned.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.supply_chain.advisories import Known, believed

PROJECTS = "https://pypi.org/pypi"
WRONG = "pycrypto 2.6.1"
"""The last release of a project that was given up, with two holes: CVE-2013-7459, CVE-2018-6594."""


def known_of(pins: Iterable[str], pip_audit: Path) -> Known:
    """Of each "name version"."""
    asked_of = [*pins, WRONG]
    answers = by_version(asked_of, pip_audit)
    missing = [pin for pin in asked_of if pin not in answers]
    with ThreadPoolExecutor(8) as threads:
        projects = threads.map(by_project, missing)
        answers |= {pin: ids for pin, ids in zip(missing, projects, strict=True) if ids is not None}
    known = Known(
        advisories={pin: ids for pin, ids in answers.items() if ids},
        unasked=frozenset(asked_of) - answers.keys(),
        asked=frozenset(answers),
    )
    return believed(known, WRONG)


def by_version(pins: Iterable[str], pip_audit: Path) -> Mapping[str, list[str]]:
    """ "name version" → its advisories, by pip-audit. What it could not ask about is left out."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{pin.replace(' ', '==')}\n" for pin in pins)
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
        f"{of['name']} {of['version']}": [hole["id"] for hole in of["vulns"]]
        for of in json.loads(ran.stdout)["dependencies"]
        if "skip_reason" not in of
    }


def by_project(pin: str, projects: str = PROJECTS) -> list[str] | None:
    """A version's advisories, by its project's page: None where that speaks of another version.

    https://docs.pypi.org/api/json/: without a version, `vulnerabilities` are those of the newest.
    """
    name, version = pin.split()
    try:
        page = httpx.get(f"{projects}/{name}/json", timeout=30).raise_for_status().json()
    except httpx.HTTPError:
        return None
    if page["info"]["version"] != version:
        return None
    return [hole["id"] for hole in page["vulnerabilities"] if not hole["withdrawn"]]
