"""Login: how many wrong passwords may be tried, over all web processes.

What is counted is a name from an address, and an address; never a name alone, or anybody could shut
an operator out from elsewhere. A try is counted before its password is looked at, so that a hundred
at once are a hundred, and given back if it was right. What is over is refused unread, right or
wrong: the answer tells a guesser nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import ngettext

from notifications.conf import conf
from notifications.models import LoginFailure
from notifications.models.login_failure import Bucket

log = logging.getLogger(__name__)

OF_A_NAME, NAME_AGAIN = 5, timedelta(minutes=5)
OF_AN_ADDRESS, ADDRESS_AGAIN = 30, timedelta(seconds=20)
"""How many wrong ones at once, and after how long one more."""


class TooMany(Exception):
    """seconds: until the next try is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = math.ceil(seconds)


@contextmanager
def counted(name: str, address: str) -> Iterator[None]:
    """One try, within which the password is looked at. It counts if that raises. Raises TooMany."""
    buckets = LoginFailure.objects
    of_address = Bucket(_key(_network(address)), OF_AN_ADDRESS, ADDRESS_AGAIN)
    of_name = Bucket(_key(_network(address), name.casefold()), OF_A_NAME, NAME_AGAIN)
    buckets.forget_old()
    if seconds := buckets.take(of_address):
        raise TooMany(seconds)
    if seconds := buckets.take(of_name):
        buckets.give_back(of_address)  # colleagues may share it
        raise TooMany(seconds)
    yield
    buckets.forget(of_name)
    buckets.give_back(of_address)


def address_of(request: HttpRequest) -> str:
    """Who asks: the connection's address, or what the outermost of our own proxies saw."""
    connected = str(request.META.get("REMOTE_ADDR", ""))
    trusted = conf().trusted_proxies
    if not trusted:
        return connected
    seen = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return seen[-trusted] if len(seen) >= trusted and _is_ip(seen[-trusted]) else connected


def _network(address: str) -> str:
    """Of IPv6 the /64, of which one machine may have every address. What a socket for both calls
    `::ffff:203.0.113.9` is IPv4: all of that lies in one /64."""
    if not _is_ip(address):
        return address
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or int(ip) >> 64)
    return str(ip)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _key(*parts: str) -> str:
    return salted_hmac("notifications.login", "\0".join(parts), algorithm="sha256").hexdigest()


class LoginForm(AdminAuthenticationForm):
    """Django's, with each try counted. `refused_for`: seconds, if it was not looked at."""

    refused_for = 0

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not (name and password and self.request):
            return super().clean()
        try:
            with counted(name, address_of(self.request)):
                return super().clean()
        except TooMany as refusal:
            self.refused_for = refusal.seconds
            log.warning("a login is refused for %s s: too many wrong passwords", refusal.seconds)
            minutes = math.ceil(refusal.seconds / 60)
            said = ngettext(
                "Too many wrong passwords from here. Try again in %(count)d minute.",
                "Too many wrong passwords from here. Try again in %(count)d minutes.",
                minutes,
            )
            raise ValidationError(said % {"count": minutes}, code="throttled") from None
