"""What a provider or a traceback said, made fit to be kept: no address, no credential."""

from __future__ import annotations

import re
from collections.abc import Iterator

from notifications.recipients import mask
from notifications.texts import fit

MAX_LENGTH = 1000
"""Characters kept of one excerpt."""

_SECRET = 4
"""Characters of a URL's path or query, from which on it may be one."""

_SHRINKS = 20
"""By more than this masking makes no text shorter ("a…@b" of 66 characters): what lies beyond so
many times the limit is not kept, so it is not looked at."""

_ATS = ("@", "\N{FULLWIDTH COMMERCIAL AT}", "\N{SMALL COMMERCIAL AT}", "%40", r"\u0040", "&#64;")
"""As people write it, in Chinese and Japanese too, in a URL that somebody quotes, in JSON, HTML."""
_AT = "|".join(map(re.escape, _ATS))
# Lengths as RFC 5321 bounds them, which also keeps the search linear in a hostile text.
_EMAIL = re.compile(
    rf"""(?:[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}|"[^"\n]{{1,64}}")(?:{_AT})"""
    r"(?:[\w-]{1,63}(?:\.[\w-]{1,63})*|\[[\w.:]{1,64}\])"
)
# Seven digits or more after a plus, or nine or more, with the usual separators (after a plus, those
# of typesetters and URLs, too). Not within a word (an id) or an ARN, and not in the shape of a
# date: "2026-11-20 10:15" is worth reading.
_PHONE = re.compile(
    r"(?i:(?<!\w)(?:[+\uff0b]|%2b)\d(?:(?:%20|[ \xa0\u2000-\u2015\u202f\u2212()./-]){0,2}\d){6,14}"
    r"(?!\d)|(?:(?<![\w.:-])|(?<=[a-z\"']:))(?!\d{4}-\d\d-\d\d)"
    r"\(?\d(?:[ ().-]{0,2}\d){8,14}(?![\w-]))"
)
_CREDENTIAL = re.compile(
    r"(?i)(\bbearer|\bbasic|"
    r"(?:api[_-]?key|token|secret(?:[_-]?(?:access[_-]?)?key)?|password|signature)[\"']?\s*[=:])"
    r"[\s\"']*[\w.~+/=-]{8,}"
)
_CREDENTIAL_WORDS = ("bearer", "bas", "key", "token", "secret", "password", "gnature")
"""One of them, in any case, stands in whatever that finds: they are looked for in a tenth of the
time. No i is in them, which an undotted one passes for."""
# With which row a statement failed, as PostgreSQL says it in a DETAIL: names, tokens, all there is.
_ROW = re.compile(
    r"(Failing row contains )\((?s:.*?)(?:\)\.(?=\n\n|\n[A-Z]+: |\Z)|\Z)"
    r"|(Key \([^\n]{1,200}?\)=)\([^\n]*\)"
)


def redact(text: str, *, address: str = "", limit: int = MAX_LENGTH, spared: str = "") -> str:
    """`text` with credentials, e-mail addresses and phone numbers masked, cut to `limit`.

    `address` is masked wherever it stands, whatever its shape (a device token, say)
    and in any case; of a URL its path and query by themselves, too.
    `spared`: a worker's own name (`celery@host`), which is no address.
    """
    if not text:
        return ""
    for form, shown in _forms(address):
        if _may_hold(text, form):
            quoted = shown.replace("\\", r"\\")
            text = re.sub(re.escape(form), quoted, text, flags=re.IGNORECASE)
    text = _without_credential(_without_row(text))[: _SHRINKS * limit]
    if any(at in text for at in _ATS):
        text = _EMAIL.sub(lambda found: _without_name(found[0], spared), text)
    text = _PHONE.sub(lambda found: mask(re.sub(r"\D", "", found[0])), text)
    return fit(text, limit)


def redact_lines(text: str, *, spared: str = "") -> str:
    """A traceback redacted line by line, whole."""
    return "\n".join(redact(line, spared=spared) for line in _without_row(text).splitlines())


def _without_row(text: str) -> str:
    if "DETAIL: " not in text:
        return text
    return _ROW.sub(lambda found: f"{found[1] or found[2]}(…)", text)


def _without_credential(text: str) -> str:
    folded = text.casefold()
    if not any(word in folded for word in _CREDENTIAL_WORDS):
        return text
    return _CREDENTIAL.sub(r"\1 …", text)


def _without_name(found: str, spared: str) -> str:
    """A quotation mark before it may belong to an address."""
    return found if found.lstrip("'`") == spared else mask(re.sub(_AT, "@", found))


def _forms(address: str) -> Iterator[tuple[str, str]]:
    """How somebody may quote it, and what is shown instead: a server that does not know our path
    says which one it was, and what is secret of a URL stands there."""
    if address:
        yield address, mask(address)
    if "://" in address:
        place = re.search(r"[/?#]", rest := address.partition("://")[2])
        target = rest[place.start() :] if place else ""
        path, _, query = target.partition("?")
        for form, shown in ((target, "/…"), (path, "/…"), (query, "…")):
            if len(form) >= _SECRET:
                yield form, shown


def _may_hold(text: str, address: str) -> bool:
    """Asked first, because a pattern of each address would be compiled, and kept: half a thousand
    of them, in every process. Of ASCII this is exact; of anything else the pattern tells."""
    if not (text.isascii() and address.isascii()):
        return True
    return address.lower() in text.lower()
