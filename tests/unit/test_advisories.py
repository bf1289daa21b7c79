"""What a registry's page of a project tells of the version that is pinned."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.supply_chain.advisories import WRONG, Known, believed, by_project

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


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def projects() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "version", "advisories"),
    [
        ("clean", "2.0", []),
        ("holed", "2.0", ["PYSEC-1"]),
        ("clean", "1.9", None),  # nothing of the newest is said of another
        ("absent", "2.0", None),
    ],
)
def test_a_project_s_page_speaks_of_its_newest_version_only(
    projects: str, name: str, version: str, advisories: list[str] | None
) -> None:
    assert by_project((name, version), projects) == advisories


def test_who_does_not_answer_was_not_asked() -> None:
    assert by_project(("clean", "2.0"), "http://127.0.0.1:9") is None


def test_of_a_registry_that_does_not_know_what_is_wrong_nothing_is_learnt() -> None:
    wrong = " ".join(*WRONG.items())
    knowing = Known({wrong: ["CVE-1"]}, frozenset({"b 2"}), frozenset({wrong, "a 1"}))
    silent = Known({}, frozenset({"b 2"}), frozenset({wrong, "a 1"}))

    assert believed(knowing) == Known({}, frozenset({"b 2"}), frozenset({"a 1"}))
    assert believed(silent) == Known({}, frozenset({"a 1", "b 2"}), frozenset())
