"""Log lines as JSON, one object a line: what is worked on, in which trace, and no address.

`notifications.log_config` has who writes them. docs/tracing.md lists the fields.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from notifications import spans, tracing
from notifications.middleware import ROUTE, TRACE
from notifications.redaction import redact, redact_lines
from notifications.span import ids

FIELDS: Mapping[str, str] = {
    "time": "when, in UTC (RFC 3339)",
    "level": "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    "logger": "who says it",
    "message": "what",
    "process": "the worker's name, `relay@host`, `web@host` or `manage.py <command>`",
    "pid": "the process's number",
    "trace_id": "the trace that the work at hand belongs to",
    "span_id": "where in that trace",
    "event": "the event's id",
    "event_type": "its type",
    "subject": "what it is about: `order/17`",
    "delivery": "the delivery's id",
    "channel": "over which somebody is told",
    "provider": "by which provider",
    "consumer": "the consumer at work",
    "queue": "its queue; of a relay, the topic or queue to which it publishes",
    "job": "the number of a job",
    "method": "of a web request",
    "route": "its route, never the path or what stands behind the question mark",
    "status": "how it was answered",
    "seconds": "how long that took",
    "exception": "the class of the error",
    "traceback": "where it came from, redacted line by line",
}
"""Every field there is; one that is not known is left out."""

LONGEST = 20_000
"""Characters of a message."""

_process_name = ""
_in_use = False


class JsonLines(logging.Formatter):
    """Makes one JSON object of a record. Addresses and credentials in it are masked; the process's
    own name, which looks like an address, is not."""

    def __init__(self) -> None:
        super().__init__()
        global _in_use
        _in_use = True
        spans.name_lines()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(_message(record), limit=LONGEST, spared=_process_name),
            "process": _process_name,
            "pid": record.process,
            **_trace(tracing.current()),
            **ids(),
            **_access(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__qualname__
            text: str = record.exc_text or self.formatException(record.exc_info)
            line["traceback"] = redact_lines(text, spared=_process_name)
        return json.dumps({name: value for name, value in line.items() if value not in ("", None)})


def _message(record: logging.LogRecord) -> str:
    if record.name == "gunicorn.access":
        said = _access(record)
        return " ".join(str(said[name]) for name in ("method", "route", "status") if name in said)
    try:
        request = getattr(record, "request", None)
        if record.name.startswith("django.") and hasattr(request, "path") and record.args:
            return f"{str(record.msg) % _without_path(record.args, request)}"
        if record.name == "gunicorn.error" and isinstance(record.args, tuple):
            return f"{str(record.msg) % _without_uri(record.args)}"
        return record.getMessage()
    except SoftTimeLimitExceeded:
        raise  # of the task that says it
    except Exception:  # noqa: BLE001 - a line whose words do not fit must not cost the other lines
        return str(record.msg)


def _without_path(arguments: Any, request: Any) -> Any:
    """Django says which path was asked for: it may hold the token of somebody's link."""
    match = getattr(request, "resolver_match", None)
    route = f"/{match.route}" if match else "(no page)"
    if not isinstance(arguments, tuple):
        return arguments
    path = request.path, request.path.encode("unicode_escape").decode()  # as Django writes it
    return tuple(route if each in path else each for each in arguments)


def _without_uri(arguments: tuple[object, ...]) -> tuple[object, ...]:
    """gunicorn tells it, with what stands behind the question mark, of a request whose answer broke
    off (an export, say)."""
    return tuple("(its path)" if str(each).startswith("/") else each for each in arguments)


def _trace(traceparent: str) -> dict[str, str]:
    if not traceparent:
        return {}
    _, trace, span, _ = traceparent.split("-")
    return {"trace_id": trace, "span_id": span}


def _access(record: logging.LogRecord) -> dict[str, Any]:
    """Of gunicorn's access log: what the middleware has left in the request's environment."""
    if record.name != "gunicorn.access" or not isinstance(record.args, Mapping):
        return {}
    told = record.args
    return {
        **_trace(str(told.get(f"{{{TRACE}}}e", "") or "")),
        "method": told.get("m"),
        "route": told.get(f"{{{ROUTE}}}e"),
        "status": _number(told.get("s")),
        "seconds": round(float(str(told.get("D") or 0)) / 1e6, 3),
    }


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


class Traced(logging.Filter):
    """Lets nothing through of what is asked every few seconds: `middleware.UNTRACED`."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(_access(record).get("trace_id"))


def is_json() -> bool:
    """Whether this process logs so."""
    return _in_use


def name_process(name: str) -> None:
    """What lines say of who has written them."""
    global _process_name
    _process_name = name
