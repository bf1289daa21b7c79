"""What registries tell of the versions that are pinned, and what counts where they do not."""

from __future__ import annotations

import gzip
import json
import re
import threading
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.supply_chain import npm, pypi
from tests.supply_chain.advisories import Known, believed
from tests.supply_chain.packages import NODE
from tests.supply_chain.readings import READINGS, read_lately

PAGES: Mapping[str, object] = {
    "/clean/json": {"info": {"version": "2.0"}, "vulnerabilities": []},
    "/holed/json": {
        "info": {"version": "2.0"},
        "vulnerabilities": [
            {"id": "PYSEC-1", "withdrawn": None},
            {"id": "PYSEC-2", "withdrawn": "2026-01-01T00:00:00Z"},
        ],
    },
}
NODE_PINS = frozenset(npm.pins_of(json.loads(NODE.read_text())).values())
HOLES = {"minimist": "GHSA-vh95-rmgr-6w4m", "ajv": "GHSA-1"}


class _Registry(BaseHTTPRequestHandler):
    """`/knowing` tells of HOLES, `/silent` of nothing, any other takes no questions."""

    def do_GET(self) -> None:
        self._answer(PAGES.get(self.path))

    def do_POST(self) -> None:
        asked = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        told = {
            name: [{"id": 1, "url": f"https://holes/{hole}", "vulnerable_versions": "*"}]
            for name, hole in HOLES.items()
            if name in asked
        }
        registry = self.path.split("/")[1]
        self._answer({"knowing": told, "silent": {}}.get(registry))

    def _answer(self, page: object) -> None:
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("pin", "advisories"),
    [
        ("clean 2.0", []),
        ("holed 2.0", ["PYSEC-1"]),
        ("clean 1.9", None),  # nothing of the newest is said of another
        ("absent 2.0", None),
    ],
)
def test_a_project_s_page_speaks_of_its_newest_version_only(
    registry: str, pin: str, advisories: list[str] | None
) -> None:
    assert pypi.by_project(pin, registry) == advisories


def test_who_does_not_answer_was_not_asked() -> None:
    assert pypi.by_project("clean 2.0", "http://127.0.0.1:9") is None


def test_of_a_registry_that_does_not_know_what_is_wrong_nothing_is_learnt() -> None:
    wrong = "pycrypto 2.6.1"
    knowing = Known({wrong: ["CVE-1"]}, frozenset({"b 2"}), frozenset({wrong, "a 1"}))
    silent = Known({}, frozenset({"b 2"}), frozenset({wrong, "a 1"}))

    assert believed(knowing, wrong) == Known({}, frozenset({"b 2"}), frozenset({"a 1"}))
    assert believed(silent, wrong) == Known({}, frozenset({"a 1", "b 2"}), frozenset())


def test_npm_is_asked_of_every_package_in_the_lock_file(registry: str) -> None:
    ajv = next(pin for pin in NODE_PINS if pin.startswith("ajv "))

    known = npm.known_of(NODE, f"{registry}/knowing")

    assert known == Known({ajv: ["GHSA-1"]}, frozenset(), NODE_PINS)


@pytest.mark.parametrize("mirror", ["silent", "packages-only"])
def test_of_a_mirror_that_takes_no_questions_or_knows_no_holes_nothing_is_learnt(
    registry: str, mirror: str
) -> None:
    known = npm.known_of(NODE, f"{registry}/{mirror}")

    assert known == Known({}, NODE_PINS, frozenset())


@pytest.mark.parametrize(
    ("today", "holds"),
    [
        (date(2026, 10, 31), False),  # before it was read
        (date(2026, 11, 1), True),
        (date(2026, 12, 1), True),
        (date(2026, 12, 2), False),
    ],
)
def test_what_was_read_holds_for_thirty_days(tmp_path: Path, today: date, holds: bool) -> None:
    file = tmp_path / "readings.toml"
    file.write_text('[[reading]]\non = 2026-11-01\nmended = { "a 1" = ["CVE-1"], "b 2" = [] }\n')

    assert read_lately(today, file) == ({"a 1", "b 2"} if holds else set())


def test_each_reading_names_versions_and_the_holes_that_are_mended_in_them() -> None:
    for reading in tomllib.loads(READINGS.read_text())["reading"]:
        for pin, holes in reading["mended"].items():
            assert re.fullmatch(r"(@[a-z-]+/)?[a-z0-9._-]+ [0-9][a-z0-9.]*", pin), pin
            assert all(re.match("CVE|GHSA|PYSEC|SNYK|AIKIDO", hole) for hole in holes), pin
