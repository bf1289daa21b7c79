"""Fingerprints: the same for failures of one cause, so that they can be looked at together.

A dead letter and a failed delivery of one error have the same one (decision 0037).
"""

from __future__ import annotations

import hashlib
import re

from kombu.utils.encoding import safe_str

from notifications.exceptions import AttemptsExhausted, NotificationError

LONGEST = 64
"""Characters, as the columns hold them; ours have 16."""

NONE = "-"
"""Stands in the address of a page for failures that say nothing of their cause."""

_VARIABLE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", re.IGNORECASE)

_FORM = re.compile(r"[0-9A-Za-z][\w.:-]{0,63}", re.ASCII)


def is_fingerprint(text: str) -> bool:
    """Whether it may be one: it stands in the address of a page."""
    return _FORM.fullmatch(text) is not None


def fingerprint(error_class: str, code: str, text: str) -> str:
    """Equal for errors that differ only in numbers and ids: 16 hexadecimal digits."""
    cause = code or _VARIABLE.sub("#", text)
    return hashlib.sha256(f"{error_class}\0{cause}".encode(errors="replace")).hexdigest()[:16]


def of(error: BaseException) -> str:
    """That of the error: what it was marked with (see `mark`), else its class and its code or text.

    One that was tried too often goes by what went wrong each time: the account that throttles and
    the provider that is down are two causes.
    """
    if marked := getattr(error, "fingerprint", ""):
        return str(marked)[:LONGEST]
    code, text = _words(error)
    if isinstance(error, AttemptsExhausted) and error.__cause__ is not None:
        last, text = _words(error.__cause__)
        code = last and f"{code}: {last}"
    return fingerprint(class_name(error), code, text)


def mark(error: BaseException) -> str:
    """The fingerprint, written on the error: pickled on its way out of a prefork child, an error
    loses what it was raised from."""
    error.fingerprint = of(error)  # type: ignore[attr-defined]
    return str(error.fingerprint)  # type: ignore[attr-defined]


def class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _words(error: BaseException) -> tuple[str, str]:
    if isinstance(error, NotificationError):
        return error.code, error.message
    return "", safe_str(error)
