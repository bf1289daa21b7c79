"""What browsers are told about every page, and that production is told to be strict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from notifications.console.headers import HeadersMiddleware, policy
from tests.stack import ROOT

PAGE = ROOT / "docs" / "console" / "security.md"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "scripts", "referrer"),
    [
        ("/admin/login/", "script-src 'self';", "same-origin"),
        ("/admin/", "script-src 'self';", "same-origin"),
        ("/api/openapi.json", "script-src 'self';", "same-origin"),
        ("/nowhere/", "default-src 'none';", "no-referrer"),
    ],
)
def test_every_answer_says_what_a_page_may_do(
    client: Client, url: str, scripts: str, referrer: str
) -> None:
    told = client.get(url).headers
    assert scripts in told["Content-Security-Policy"]
    assert "unsafe" not in told["Content-Security-Policy"]
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Referrer-Policy"] == referrer
    assert told["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in told["Permissions-Policy"]
    assert told["X-Frame-Options"] == "DENY"


def test_files_may_come_from_where_the_setting_says(settings: Any) -> None:
    settings.STATIC_URL = "https://cdn.shop.example/static/"
    assert "style-src 'self' https://cdn.shop.example;" in policy()


def test_a_view_s_own_policy_stands() -> None:
    own = {"Content-Security-Policy": "sandbox"}
    middleware = HeadersMiddleware(lambda request: HttpResponse(headers=own))
    assert middleware(RequestFactory().get("/"))["Content-Security-Policy"] == "sandbox"


def production() -> dict[str, str]:
    """As the page about security has it, secrets filled in."""
    lines = re.search(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert lines
    given = dict(line.split("=", 1) for line in lines[1].splitlines())
    return {
        name: os.urandom(40).hex() if value.startswith("<") else value
        for name, value in given.items()
    }


def manage(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={"PATH": os.environ["PATH"], "DJANGO_HTTPS": "1", **production(), **more},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_production_has_nothing_to_mend(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_production_is_by_https_and_has_no_console_where_that_is_said(tmp_path: Path) -> None:
    asked = (
        "from django.test import Client; "
        "print([Client().get(page, headers=h, HTTP_HOST='ops.shop.example').status_code"
        " for h in ({}, {'X-Forwarded-Proto': 'https'}) for page in ('/api/orders', '/admin/')])"
    )
    done = manage(tmp_path, "shell", "--no-imports", "-c", asked, WEB_CONSOLE="0")
    assert done.stdout.strip() == "[301, 301, 401, 404]", done.stderr
