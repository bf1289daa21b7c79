"""What a variable may hold: how its text becomes a value, and how to say what it should be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any


@dataclass(frozen=True)
class Kind:
    """expected: what to give, after "give". parse: raises ValueError, which nobody is shown.
    secret: its value is never printed. blank: whether "" is a value; it is "not set" otherwise."""

    name: str
    expected: str
    parse: Callable[[str], Any]
    secret: bool = False
    blank: bool = False


_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_RATE = re.compile(r"(\d+(\.\d+)?|\.\d+)(/[smh])?\Z")
_VERSIONED = re.compile(r"[1-9]\d{0,3}:\S+\Z")


def matching(pattern: str, name: str, expected: str) -> Kind:
    """A text of that form, from end to end."""
    form = re.compile(pattern)

    def parse(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError
        return text

    return Kind(name, expected, parse)


def whole(least: int, most: int, unit: str = "") -> Kind:
    """A whole number within these bounds; with a unit, of seconds, say."""

    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    name = f"whole number of {unit}" if unit else "whole number"
    return Kind(f"{name}, {least} to {most}", f"a {name} from {least} to {most}", parse)


def decimal(above: float, most: float, unit: str) -> Kind:
    def parse(text: str) -> float:
        number = float(text)
        if not above < number <= most:
            raise ValueError
        return number

    return Kind(
        f"{unit}, at most {most:g}", f"a number of {unit} above {above:g}, at most {most:g}", parse
    )


def choice(*among: str) -> Kind:
    def parse(text: str) -> str:
        if text not in among:
            raise ValueError
        return text

    return Kind(" or ".join(f"`{each}`" for each in among), f"one of: {', '.join(among)}", parse)


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError
    return _FLAGS[text.lower()]


def _rate(text: str) -> str:
    """In Celery's words; a rate of nothing would be no limit to Celery."""
    if text != "none" and (not _RATE.match(text) or float(text.partition("/")[0]) <= 0):
        raise ValueError
    return text


def _token(text: str) -> str:
    """A header carries it: a line end that came along with a file would end the header."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


def _keys(text: str) -> dict[int, str]:
    """By version: one by itself is the first; "2:new 1:old" while it is being replaced."""
    words = text.split()
    if len(words) == 1 and not _VERSIONED.match(text):
        return {1: text}
    versions = [word.partition(":") for word in words if _VERSIONED.match(word)]
    keys = {int(version): secret for version, _, secret in versions}
    if len(keys) != len(words):
        raise ValueError
    return keys


def _mailbox(text: str) -> str:
    """A header carries it, like a token."""
    name, _, host = parseaddr(text)[1].rpartition("@")
    if not (name and host and text.isprintable()):
        raise ValueError
    return text


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _networks(text: str) -> tuple[str, ...]:
    found = words(text)
    for word in found:
        ipaddress.ip_network(word)
    return found


TEXT = Kind("text", "a text", str, blank=True)
SECRET = Kind("secret", "a secret", str, secret=True, blank=True)
TOKEN = Kind("secret", "a secret without a space or a line end", _token, secret=True)
SECRETS = Kind("secrets", "secrets, spaces between them", words, secret=True, blank=True)
KEYS = Kind(
    "secret, or `version:secret …`",
    'a secret without a space, or "2:new 1:old": versions and secrets, the highest writes',
    _keys,
    secret=True,
)
WORDS = Kind("words", "words, spaces between them", words, blank=True)
MAILBOX = Kind("mail address", '"orders@shop.example", or "Shop <orders@shop.example>"', _mailbox)
HEADER = matching(r"[A-Za-z0-9-]+", "header", 'the name of a header, as "X-Forwarded-Proto"')
FLAG = Kind("flag", "1 or 0", _flag)
RATE = Kind("rate", '"20/s", "100/m", "10/h" or "none"', _rate)
NETWORKS = Kind("networks", 'networks, as "10.1.0.0/16"', _networks, blank=True)
PORT = whole(1, 65535)
