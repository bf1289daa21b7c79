"""Log config: everything as JSON lines, for Django and for gunicorn. Celery's follows by itself
(`notifications.worker.logs`).

    LOGGING = log_config.django("INFO")               # settings.py
    logconfig_dict = log_config.gunicorn("INFO")      # gunicorn.conf.py
"""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path
from typing import Any

from notifications import log_lines

QUIET = ("botocore", "boto3", "urllib3", "httpx", "httpcore", "google.auth")
"""Loggers that tell at DEBUG, or at INFO, what is sent to whom: they are heard from WARNING on."""


def django(level: str = "INFO") -> dict[str, Any]:
    """Django's LOGGING: everything from `level` on, Python's warnings too, as JSON, to standard
    error."""
    if Path(sys.argv[0]).name == "manage.py":
        command = " ".join(sys.argv[1:2])
        log_lines.name_process(_here("relay") if command == "relay" else f"manage.py {command}")
    return _config(level)


def gunicorn(level: str = "INFO") -> dict[str, Any]:
    """gunicorn's `logconfig_dict`, with a line for each request."""
    log_lines.name_process(_here("web"))
    told = _config(level)
    told["filters"] = {"traced": {"()": "notifications.log_lines.Traced"}}
    told["loggers"] |= {
        "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        "gunicorn.access": {
            "handlers": [],
            "level": "INFO",
            "propagate": True,
            "filters": ["traced"],
        },
    }
    return told


def hush() -> None:
    """Hear QUIET from WARNING on, in text as well."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _config(level: str) -> dict[str, Any]:
    logging.captureWarnings(True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "notifications.log_lines.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            **{name: {"level": "WARNING"} for name in QUIET},
        },
    }


def _here(name: str) -> str:
    return f"{name}@{socket.gethostname()}"
