"""The web process starts, serves the admin's files by itself, and says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from notifications.local.ports import free_port
from tests.conftest import Start
from tests.stack import ROOT

GUNICORN = [sys.executable, "-m", "gunicorn", "--no-control-socket", "orders_site.wsgi"]


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "orders_site.settings", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DJANGO_SECRET_KEY": ""}, "(shop.E001) DJANGO_SECRET_KEY is not set"),
        ({"DATABASE_URL": ""}, "(notifications.E014) DATABASES['default'] names no database"),
        ({"DATABASE_URL": "nonsense"}, "(notifications.E014)"),
        ({"ADDRESS_HASH_KEY": ""}, "(notifications.E003)"),
        ({"ENCRYPTION_KEY": ""}, "(notifications.E022)"),
        ({"PAYMENT_ENDPOINT": ""}, "(shop.E003) PAYMENT_ENDPOINT: not set"),
        ({"PAYMENT_ENDPOINT": "pay.example"}, "(shop.E003) PAYMENT_ENDPOINT is no https://"),
        ({"PAYMENT_ENDPOINT": "http://pay.example"}, "(shop.E003) PAYMENT_ENDPOINT is no https://"),
    ],
)
def test_a_missing_setting_is_named_with_its_mend_and_no_stack_trace(
    environment: dict[str, str], said: str
) -> None:
    done = manage("place_orders", "1", **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "HINT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_gunicorn_serves_the_admin_and_its_files_without_a_warning(
    start: Start,
) -> None:
    port = free_port()
    command = [*GUNICORN, "--bind", f"127.0.0.1:{port}"]
    web = start(command, name="web", ready="Booting worker", PYTHONWARNINGS="default")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as browser:
        assert browser.get("/", follow_redirects=True).url.path == "/admin/login/"
        sheet = browser.get("/static/admin/css/base.css")
        assert sheet.headers["content-type"].startswith("text/css")
    assert "Warning" not in web.log


def test_gunicorn_does_not_start_with_a_wrong_setting(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*GUNICORN, "--bind", f"127.0.0.1:{free_port()}"],
        env={**environment, "DJANGO_SECRET_KEY": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert "shop.E001" in done.stderr


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    """As of `manage.py timeline 7 | head -3`."""
    nobody_reads, write = os.pipe()
    os.close(nobody_reads)

    ran = subprocess.run(
        [sys.executable, "manage.py", "help"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write)

    assert ran.stderr == ""
