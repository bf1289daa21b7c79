"""The web process starts, serves the admin's files by itself, and says what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest

from notifications.local.ports import free_port
from notifications.local.stack import Stack
from tests.conftest import Start
from tests.integration.outages import database_closed_to
from tests.stack import ROOT
from tests.waiting import wait_for

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
        (
            {
                "DJANGO_SECRET_KEY": "",
                "ADDRESS_HASH_KEY": "",
                "ENCRYPTION_KEY": "",
                "PAYMENT_ENDPOINT": "",
                "DATABASE_POOL_SIZE": "-1",
            },
            (
                "(shop.E001) DJANGO_SECRET_KEY is not set",
                "(notifications.E003)",
                "(notifications.E022)",
                "(shop.E003) PAYMENT_ENDPOINT: not set",
                "(shop.E005) DATABASE_POOL_SIZE is '-1', which cannot be",
            ),
        ),
        (
            {"DATABASE_URL": "", "PAYMENT_ENDPOINT": "pay.example"},
            (
                "(notifications.E014) DATABASES['default'] names no database",
                "(shop.E005) PAYMENT_ENDPOINT is 'pay.example', which cannot be read: give",
            ),
        ),
        (
            {"DATABASE_URL": "nonsense", "PAYMENT_ENDPOINT": "http://pay.example"},
            ("(notifications.E014)", "(shop.E005) PAYMENT_ENDPOINT is 'http://pay.example', which"),
        ),
    ],
)
def test_what_is_missing_is_named_with_its_mend_and_no_stack_trace(
    environment: dict[str, str], said: tuple[str, ...]
) -> None:
    done = manage("place_orders", "1", **environment)
    assert done.returncode == 1
    for each in said:
        assert each in done.stderr
    assert done.stderr.count("HINT: ") >= len(said)
    assert "Traceback" not in done.stderr


def test_gunicorn_serves_the_admin_and_its_files_and_says_whether_it_can(
    start: Start, stack: Stack
) -> None:
    port = free_port()
    command = [*GUNICORN, "--bind", f"127.0.0.1:{port}"]
    web = start(
        command, name="web", ready="Booting worker", PYTHONWARNINGS="default", PGAPPNAME="web"
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as browser:
        assert browser.get("/", follow_redirects=True).url.path == "/admin/login/"
        sheet = browser.get("/static/admin/css/base.css")
        assert sheet.headers["content-type"].startswith("text/css")
        assert browser.get("/readyz").json()["ready"]
        assert "Warning" not in web.log
        with database_closed_to("web", stack):
            told = wait_for(lambda: [each for each in [browser.get("/readyz")] if each.is_error])
            assert told[0].json()["migrations"] == "not known"
            assert browser.get("/healthz").json() == {"alive": True}
        wait_for(lambda: browser.get("/readyz").is_success)


def test_gunicorn_does_not_start_with_a_wrong_setting(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*GUNICORN, "--bind", f"127.0.0.1:{free_port()}"],
        env={**environment, "DJANGO_SECRET_KEY": "", "DATABASE_POOL_SIZE": "many"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert "shop.E001" in done.stderr
    assert "(shop.E005) DATABASE_POOL_SIZE is 'many'" in done.stderr


def test_a_worker_does_not_start_with_what_cannot_be_read(environment: dict[str, str]) -> None:
    wrong = {"WORKER_CONCURRENCY": "many", "SMS_RATE_LIMIT": "3/day", "EMAIL_RATE_LIMT": "9/s"}
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "orders_site", "worker"],
        env={**environment, **wrong},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "(shop.E005) WORKER_CONCURRENCY is 'many', which cannot be read" in done.stderr
    assert "(shop.E005) SMS_RATE_LIMIT is '3/day', which cannot be read" in done.stderr
    assert "Did you mean EMAIL_RATE_LIMIT?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_is_shown_without_its_secrets() -> None:
    wrong = {"DATABASE_POOL_SIZE": "few", "EMAIL_RATE_LIMT": "9/s"}
    given = {"EMAIL_URL": "smtps://me:opensesame@mail.example", "SHOP_NAME": "Quay", **wrong}
    printed = manage("environment", **given)
    told = json.loads(manage("environment", "--set", "--json", **given).stdout)

    assert "DATABASE_POOL_SIZE is 'few', which cannot be read" in printed.stdout
    by_name = {each["name"]: each for each in told["variables"]}
    assert by_name["SHOP_NAME"]["value"] == "Quay"
    assert by_name["DATABASE_POOL_SIZE"]["problem"]
    assert by_name["EMAIL_URL"]["set"]
    assert by_name["EMAIL_URL"]["value"] is None
    assert "EMAIL_RATE_LIMIT" not in by_name
    assert told["unknown"] == [{"name": "EMAIL_RATE_LIMT", "nearest": "EMAIL_RATE_LIMIT"}]
    for secret in ("opensesame", os.environ["DJANGO_SECRET_KEY"], os.environ["ENCRYPTION_KEY"]):
        assert secret not in printed.stdout + str(told)


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
