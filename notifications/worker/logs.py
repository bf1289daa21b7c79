"""What a worker logs: a task's error without addresses, and Celery's own lines as the others."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import signals
from celery.apps import worker as celery_worker

from notifications import log_config, log_lines
from notifications.redaction import redact, redact_lines

_formatter = logging.Formatter()


class Redacted(logging.Filter):
    """Masks addresses and credentials in the error and the traceback of a record.

    Our own errors hold none; those of a library or a bug may say with which value they failed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict) and "exc" in record.args:
            record.args = {**record.args, "exc": redact(str(record.args["exc"]))}
        if record.exc_info and not record.exc_text:
            # Every formatter takes the text that is there already.
            record.exc_text = redact_lines(_formatter.formatException(record.exc_info))
        return True


def set_up(worker: Any) -> None:
    """For a worker process, before its pool is made."""
    logging.getLogger("celery.app.trace").addFilter(Redacted())
    log_config.hush()
    if log_lines.is_json():
        log_lines.name_process(worker.hostname)
        worker.quiet = True  # no banner: it is no line
        celery_worker.safe_say = _say  # type: ignore[attr-defined]
        for done in (signals.after_setup_logger, signals.after_setup_task_logger):
            done.connect(_as_json, weak=False)


def _as_json(logger: logging.Logger, **_: Any) -> None:
    """Celery has taken the root logger's handlers for its own."""
    for handler in logger.handlers:
        handler.setFormatter(log_lines.JsonLines())


def _say(text: str, *_: Any) -> None:
    """What Celery says from a signal's handler, where a logger might wait for a lock of its own."""
    record = logging.makeLogRecord({"name": "celery", "levelname": "INFO", "msg": text})
    os.write(2, f"{log_lines.JsonLines().format(record)}\n".encode())
