"""The trace context as it is read, log lines as they are written, and what is said of both."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from notifications import log_lines, spans, tracing
from notifications.middleware import ROUTE, TRACE
from notifications.span import ATTRIBUTES, LOGGED

ROOT = Path(__file__).resolve().parents[2]
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (GIVEN, GIVEN),
        (f" {GIVEN}\t", GIVEN),
        (GIVEN.replace("00-4b", "01-4b"), GIVEN),
        (GIVEN.replace("00-4b", "cc-4b") + "-what-will-be", GIVEN),
        (GIVEN[:-2] + "00", GIVEN[:-2] + "00"),
        (GIVEN.replace("00-4b", "ff-4b"), ""),
        (f"{GIVEN}-more", ""),
        (f"{GIVEN}0", ""),
        (GIVEN.upper(), ""),
        (GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), ""),
        (GIVEN.replace("00f067aa0ba902b7", "0" * 16), ""),
        (GIVEN[:-1], ""),
        (f"{GIVEN}\n", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        (f"01{GIVEN[2:]}-{'x' * 600}", ""),
    ],
)
def test_a_header_is_read_as_the_specification_says(header: object, read: str) -> None:
    assert tracing.read(header) == read


def test_without_being_asked_for_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; from notifications import spans\n"
        "with spans.span('x', event=1) as span: span.set(queue='email')\n"
        "print(spans.is_on(), 'opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_spans_that_nobody_would_get_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spans.problem() == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc': http/protobuf" in spans.problem()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert spans.problem() == ""


@pytest.fixture
def line() -> Any:
    """`line("say %s", "it", level=…, name=…)`: what JSON makes of a record, at once."""

    def written(message: str, *arguments: Any, name: str = "shop", **more: Any) -> dict[str, Any]:
        record = logging.LogRecord(name, logging.WARNING, "", 0, message, arguments, None)
        record.__dict__.update(more)
        found: dict[str, Any] = json.loads(log_lines.JsonLines().format(record))
        return found

    before = spans.place()
    yield written
    spans.stay(before)
    spans.forget()


def test_a_line_tells_its_trace_and_what_it_is_about(line: Any) -> None:
    log_lines.JsonLines()  # from here on the ids are known
    with (
        tracing.continued(GIVEN),
        spans.span("process", event="e1", subject="order/7", status=1),
        spans.span("deliver", delivery="d1", channel="email") as span,
    ):
        span.set(provider="ses")
        inside = line("told")
    outside = line("told")
    assert inside["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert inside["span_id"] == "00f067aa0ba902b7"
    ids = ("event", "subject", "delivery", "channel", "provider")
    assert [inside[name] for name in ids] == ["e1", "order/7", "d1", "email", "ses"]
    assert "status" not in inside
    assert not {*ids, "trace_id"} & outside.keys()


def test_a_line_holds_no_address_however_it_comes_into_it(line: Any) -> None:
    try:
        raise ValueError("ann@example.org\nand +49 172 9920012, password=hunter2hunter2")
    except ValueError:
        told = line("%s asked\nBearer abcdefgh12345678", "ann@example.org", exc_info=sys.exc_info())
    assert told["message"] == "a…@example.org asked\nBearer …"
    assert told["exception"] == "ValueError"
    assert told["traceback"].endswith("ValueError: a…@example.org\nand …0012, password= …")
    token = "/notifications/unsubscribe/secret-token"
    request = SimpleNamespace(path=token, resolver_match=SimpleNamespace(route="unsubscribe/<t>"))
    asked = line("%s: %s", "Not Found", token, name="django.request", request=request)
    assert asked["message"] == "Not Found: /unsubscribe/<t>"


@pytest.mark.parametrize("end", ["", "\N{RIGHT DOUBLE QUOTATION MARK}", "\\", "%0a"])
def test_a_line_of_django_tells_no_path_whatever_a_mail_program_has_hung_on_it(
    end: str, line: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Client().get(f"/secret-token{end}")
    [record] = [each for each in caplog.records if each.name == "django.request"]
    message = json.loads(log_lines.JsonLines().format(record))["message"]
    assert message == "Not Found: (no page)"


def test_a_line_of_gunicorn_tells_no_path_of_a_request_that_broke_off(line: Any) -> None:
    asked = ("GET", "/admin/export?q=ann+smith")
    said = line("Error handling request %s %s", *asked, name="gunicorn.error")["message"]
    assert said == "Error handling request GET (its path)"
    listening = line("Listening at: %s (%s)", "http://127.0.0.1:8000", 7, name="gunicorn.error")
    assert listening["message"] == "Listening at: http://127.0.0.1:8000 (7)"


def test_a_process_may_say_its_name_and_no_address_passes_for_it(
    line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "_process_name", "celery@vm-1")
    said = line("celery@vm-1 ready: 'celery@vm-1', ann@vm-1, ann.celery@vm-1, celery@vm-1.example")
    assert said["message"] == "celery@vm-1 ready: 'celery@vm-1', a…@vm-1, a…@vm-1, c…@vm-1.example"


def test_a_line_of_the_access_log_tells_the_route_and_the_trace(line: Any) -> None:
    record = logging.LogRecord("gunicorn.access", logging.INFO, "", 0, "%(r)s", None, None)
    record.args = {
        "m": "GET", "s": "404", "D": 12345, "r": "GET /x?q=ann HTTP/1.1", "U": "/x",
        f"{{{ROUTE}}}e": "/admin/<int:id>", f"{{{TRACE}}}e": GIVEN,
    }  # fmt: skip
    told = json.loads(log_lines.JsonLines().format(record))
    assert told["message"] == "GET /admin/<int:id> 404"
    assert (told["status"], told["seconds"], told["span_id"]) == (404, 0.012, "00f067aa0ba902b7")
    assert log_lines.Traced().filter(record)
    record.args = {"m": "GET", "s": "200"}
    assert not log_lines.Traced().filter(record), "a probe, which no middleware of ours has seen"


def test_the_document_lists_every_field_and_attribute() -> None:
    document = (ROOT / "docs/tracing.md").read_text()
    for known in (log_lines.FIELDS, ATTRIBUTES):
        rows = [f"| `{name}` | {about} |" for name, about in known.items()]
        assert "\n".join(rows) in document
    assert set(LOGGED) <= set(ATTRIBUTES) & set(log_lines.FIELDS)


def test_each_kind_of_span_in_the_code_is_in_the_document() -> None:
    document = (ROOT / "docs/tracing.md").read_text()
    code = "\n".join(path.read_text() for path in (ROOT / "notifications").rglob("*.py"))
    made = {name.split()[0] for name in re.findall(r'spans\.span\(\s*f?"([^"]+)"', code)}
    assert {"record", "process", "deliver", "publish", "send"} <= made
    for name in made - {"x", "{duty.adapter.operation}", "{job.kind}"}:
        assert f"`{name}" in document, name
