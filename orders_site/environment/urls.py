"""Addresses: how the text of one becomes a value, and how to say what it should be."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from orders_site.environment.kinds import Kind, words

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/]*):(\d{1,5})\Z|unix:.+\Z")
_HOST = re.compile(r"(\*|\.?[^\s:/,]+|\[[0-9a-fA-F:]+\])\Z")
_HERE = ("127.0.0.1", "localhost", "::1")
_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def _url(text: str) -> str:
    """A line end that came along with a file would stand in the midst of what is asked there."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or [text] != text.split():
        raise ValueError
    parts.port  # noqa: B018 - raises where it is none
    return text.rstrip("/")


def _safe_url(text: str) -> str:
    """A secret goes there: by TLS, or on this very machine, where the sandbox is."""
    parts = urlsplit(_url(text))
    if parts.scheme != "https" and parts.hostname not in _HERE:
        raise ValueError
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    """As browsers say them: nothing behind the host, nobody before it."""
    found = words(text)
    for word in found:
        parts = urlsplit(_url(word))
        if word != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            raise ValueError
    return found


def _postgresql(text: str) -> str:
    """A / or @ that stands in the password as it is makes a host or port of it, to libpq."""
    try:
        parts = conninfo_to_dict(text)
    except ProgrammingError:
        raise ValueError from None
    if "@" in str(parts.get("host", ""))[1:]:
        raise ValueError
    for port in str(parts.get("port", "")).split(","):
        int(port or 0)
    return text


def _mail_server(text: str) -> dict[str, Any]:
    """The options of Django's SMTP backend."""
    parts = urlsplit(text)
    if parts.scheme not in _MAIL_PORTS or not parts.hostname:
        raise ValueError
    return {
        "host": parts.hostname,
        "port": parts.port or _MAIL_PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp+tls",
        "use_ssl": parts.scheme == "smtps",
    }


def _hosts(text: str) -> tuple[str, ...]:
    found = words(text)
    if not all(_HOST.match(word) for word in found):
        raise ValueError
    return found


def _address(text: str) -> str:
    matched = _ADDRESS.match(text)
    if not matched or int(matched[2] or 0) > 65535:
        raise ValueError
    return text


URL = Kind("URL", "an address with http:// or https://", _url)
SAFE_URL = Kind("URL", "an address with https:// (http:// on this machine only)", _safe_url)
ORIGINS = Kind(
    "origins",
    'origins, spaces between them: "https://shop.example", nothing behind the host',
    _origins,
    blank=True,
)
POSTGRESQL = Kind(
    "secret URL",
    "postgresql://user:password@host/name, what is special in the password written as %2F is for /",
    _postgresql,
    secret=True,
)
MAIL_SERVER = Kind(
    "secret URL",
    "smtp://, smtp+tls:// or smtps:// with user:password@host, what is special in the password "
    "written as %2F is for /",
    _mail_server,
    secret=True,
)
HOSTS = Kind(
    "host names",
    "host names, spaces between them, neither with https:// nor with a port",
    _hosts,
    blank=True,
)
ADDRESS = Kind("address", '"host:port" or "unix:/path"', _address)
