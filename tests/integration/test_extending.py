"""docs/extending.md, as printed: a project that is made of its examples and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from notifications.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
START = "## In your own Django project"
"""The section that the others build on stands last on the page."""

BESIDE = {
    "shop/models.py": """
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=80)
    email = models.EmailField(blank=True)
    device = models.CharField(max_length=80, blank=True)
    email_consent = models.BooleanField(default=True)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    cancelled = models.BooleanField(default=False)
    shipped_at = models.DateTimeField(null=True)


class Visit(models.Model):
    at = models.DateTimeField(auto_now_add=True)
""",
    "loyalty/models.py": """
from django.db import models


class Points(models.Model):
    order_id = models.IntegerField()
    points = models.IntegerField()
""",
    "loyalty/__init__.py": "",
    "shop/templates/notifications/order.created/email.subject.txt": "Thank you, {{ name }}",
    "shop/templates/notifications/order.created/email.txt": "It is order {{ order_number }}.",
    "shop/templates/notifications/order.delayed/email.subject.txt": "It is late",
    "shop/templates/notifications/order.delayed/email.txt": "By {{ data.days }} days.",
    "shop/templates/notifications/order.delayed/push.title.txt": "It is late",
    "shop/templates/notifications/order.delayed/push.txt": "By {{ data.days }} days.",
    "shop/test_the_rest.py": """
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from loyalty.models import Points
from notifications import chores
from notifications.audiences import all_audiences
from notifications.channels.base import Content, Message
from notifications.exceptions import PermanentError, ProviderPaused, TransientError
from notifications.models import ScheduledEvent
from notifications.testing import deliver_in_process
from shop import services
from shop.models import Customer, Order, Visit
from shop.pigeons import PigeonPost


class Telling(TestCase):
    def setUp(self):
        self.ann = Customer.objects.create(name="Ann", email="ann@example.org", device="d")

    def test_a_delay_is_told_by_both_channels(self):
        order = Order.objects.create(customer=self.ann)
        with deliver_in_process() as told:
            services.delay(order, 3)
        self.assertEqual([m.text.strip() for m in told.messages], ["By 3 days."] * 2)

    def test_of_a_cancelled_order_nothing_is_told(self):
        order = Order.objects.create(customer=self.ann, cancelled=True)
        with deliver_in_process() as told:
            services.delay(order, 3)
        self.assertEqual(told.messages, [])

    def test_points_are_given_once(self):
        with deliver_in_process():
            services.place(self.ann)
        self.assertEqual(Points.objects.get().points, 10)

    def test_a_review_is_scheduled_and_called_off(self):
        order = Order.objects.create(customer=self.ann, shipped_at=timezone.now())
        services.ask_for_a_review(order)
        self.assertEqual(ScheduledEvent.objects.get().state, "waiting")
        services.take_back(order)
        self.assertEqual(ScheduledEvent.objects.get().state, "called_off")

    def test_the_audience_and_the_chore_are_found(self):
        self.assertIn("newsletter", [each.name for each in all_audiences()])
        Visit.objects.create()
        Visit.objects.update(at=timezone.now() - timedelta(days=31))
        (chore,) = [each for each in chores.all_chores() if each.name == "forgetting visits"]
        self.assertEqual(chore.run(using="default", go_on=lambda: True), 1)


class Loft(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b'{"id": "coo"}')

    def log_message(self, *args):
        pass


class Pigeons(SimpleTestCase):
    def test_each_answer_becomes_the_error_that_the_page_says(self):
        message = Message("42", Content("Coo"), "tag", "key", "order.created", "order/1")
        with HTTPServer(("127.0.0.1", 0), Loft) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            post = PigeonPost(f"http://127.0.0.1:{server.server_port}", "token")
            server.status = 200
            self.assertEqual(post.send(message).provider_message_id, "coo")
            for server.status, error in (
                (401, ProviderPaused),
                (429, TransientError),
                (503, TransientError),
                (400, PermanentError),
            ):
                with self.assertRaises(error):
                    post.send(message)
            server.shutdown()
        with self.assertRaises(TransientError):
            PigeonPost("http://127.0.0.1:1", "token").send(message)
        with self.assertRaises(PermanentError):
            post.check_address("coo")
""",
}
"""What the page leaves to the shop: its models, its texts, and a test of what stands there."""


def examples(text: str) -> list[tuple[str, str]]:
    """Each file that a Python example names in its first line, or after an empty one, and what is
    added to it there."""
    found = []
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        pieces = re.split(r"^# (\w+/\w+\.py)\b.*\n", block, flags=re.MULTILINE)
        assert not pieces[0].strip(), f"an example that says not where it belongs: {block}"
        found += zip(pieces[1::2], pieces[2::2], strict=True)
    return found


@pytest.fixture
def project(tmp_path: Path, stack: Stack) -> Path:
    call_command("startproject", "shop", str(tmp_path))
    for name, text in BESIDE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    before, _, after = PAGE.partition(START)
    for name, text in examples(after) + examples(before):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{text}")
    return tmp_path


def test_every_example_of_the_page_runs_as_printed(project: Path, stack: Stack) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": stack.environment["DATABASE_URL"],
        "ADDRESS_HASH_KEY": "a long random secret",
        "ENCRYPTION_KEY": "another long random secret",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "no issues" in run("manage.py", "check", "--fail-level", "INFO")
    run("manage.py", "makemigrations", "shop", "loyalty")
    assert "Ran 7 tests" in run("manage.py", "test", "--noinput")
    worker = "from shop.notifications_worker import app"
    said = run("-c", f"{worker}; app.loader.init_worker(); print([*app.tasks])")
    assert "loyalty.add_points" in said


def test_without_its_secrets_the_project_is_told_which_are_missing(
    project: Path, stack: Stack
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    for said in ("E003", "E014", "E022"):
        assert f"notifications.{said}" in done.stderr
    assert "Traceback" not in done.stderr
