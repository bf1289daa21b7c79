"""What Celery logs of a task's error, without addresses."""

from __future__ import annotations

import logging

from notifications.redaction import redact

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


def redact_lines(text: str) -> str:
    """A traceback redacted line by line, whole."""
    return "\n".join(redact(line) for line in text.splitlines())


def set_up() -> None:
    """For a worker process, before its pool is made."""
    logging.getLogger("celery.app.trace").addFilter(Redacted())
    # At INFO botocore says where it found its credentials, for each client.
    logging.getLogger("botocore").setLevel(logging.WARNING)
