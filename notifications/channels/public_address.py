"""Where a URL that somebody gave us may lead: to a public address, and to no other.

Whoever may name a URL for us to ask could name one that only we can reach (server-side request
forgery): the cloud's metadata service, a database beside us, this machine. So the host's addresses
are looked up here, every one of them must be public, and whoever connects takes one of these:
asked again, the name could give another (DNS rebinding).

The special-purpose addresses are IANA's registries
(https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry); how a host is read follows the WHATWG
URL standard's host parser, which is what may be lying in wait for us at the other end.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urlsplit

from notifications.channels.answers import invalid_address
from notifications.exceptions import PermanentError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Iterable[str]]

DEFAULT_PORTS = {"https": 443, "http": 80}
MOST_CHARACTERS = 2000
"""Of a URL."""

_NOT_PUBLIC: Sequence[tuple[Network, str]] = [
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared with a carrier's customers (CGNAT)"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own service"),  # Azure's, at an address that looks public
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "an IPv4 address within IPv6 (compatible)"),
        ("64:ff9b:1::/48", "an IPv4 address within IPv6 (local NAT64)"),
        ("2001::/32", "an IPv4 address within IPv6 (Teredo)"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "an IPv4 address within IPv6 (6to4)"),
        ("3fff::/20", "for documentation"),
        ("fc00::/7", "private (ULA)"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private (site-local)"),
        ("ff00::/8", "multicast"),
    )
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out; what lies outside is none, or special."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches a host without IPv6 (RFC 6052): as public as what is in it."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"[0-9]+\Z|0x[0-9a-f]*\Z")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa")
_IN_A_PATH = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True)
class Target:
    """What a URL names, in ASCII. path: with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def resolve(host: str, port: int) -> list[str]:
    """The host's addresses, as the system's resolver gives them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Guard:
    """What may be reached.

    networks: which may be reached though they are not public, by plain HTTP too and on any port
        (the provider sandbox, a partner in your own network). ports: those of public addresses.
    """

    def __init__(self, networks: Iterable[str] = (), ports: Iterable[int] = (443,)) -> None:
        self._networks = [ip_network(network) for network in networks]
        self._ports = frozenset(ports)

    def target(self, url: str) -> Target:
        """What `url` names, as far as it tells without a look-up.

        Raises PermanentError `invalid_address`, or `private_address` for an address of ours.
        """
        target = _target(url)
        literal = target.literal
        if literal is not None:
            self._insist(target, [literal])
        elif not self._networks:
            self._insist_on_public_form(target)
        return target

    def addresses(self, target: Target, resolve: Resolve = resolve) -> list[Address]:
        """Those to connect to, looked up once: each is allowed, or none is.

        Raises PermanentError `private_address`; OSError where the name has no address.
        """
        if target.literal is not None:
            return self._insist(target, [target.literal])
        found = [ip_address(text) for text in resolve(target.host, target.port)]
        if not found:
            raise OSError("the name has no address")
        return self._insist(target, found)

    def _insist(self, target: Target, found: Sequence[Address]) -> list[Address]:
        plain = list(dict.fromkeys(map(_without_ipv4_mapping, found)))
        ours = [address for address in plain if self._is_allowed(address)]
        for address in plain:
            if address not in ours and (kind := not_public(address)):
                raise PermanentError(f"The host's address is {kind}.", "private_address")
        if len(ours) < len(plain):
            self._insist_on_public_form(target)
        return plain

    def _insist_on_public_form(self, target: Target) -> None:
        if target.scheme != "https":
            raise invalid_address("The URL must begin with https://.")
        if target.port not in self._ports:
            allowed = ", ".join(map(str, sorted(self._ports)))
            raise invalid_address(f"The URL's port is none of those allowed: {allowed}.")
        labels = target.host.split(".")
        if target.literal is None and (len(labels) < 2 or labels[-1] in _LOCAL_NAMES):
            _wrong_host()

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def not_public(address: Address) -> str:
    """What kind of address it is that is not for the public; empty for one that is."""
    if isinstance(address, IPv6Address):
        address = _without_ipv4_mapping(address)
        if isinstance(address, IPv6Address) and address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
    for network, kind in _NOT_PUBLIC:
        if address.version == network.version and address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return ""


def _without_ipv4_mapping(address: Address) -> Address:
    """`::ffff:127.0.0.1` is 127.0.0.1 to whoever connects to it (RFC 4291, 2.5.5.2)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _target(url: str) -> Target:
    if not 0 < len(url) <= MOST_CHARACTERS or _UNSAFE.search(url):
        raise invalid_address("This is no URL.")
    try:
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise invalid_address("The URL must begin with https://.")
        host, port = _host(parts), parts.port
        path = quote(parts.path or "/", safe=_IN_A_PATH)
        query = f"?{quote(parts.query, safe=_IN_A_PATH)}" if parts.query else ""
    except (ValueError, UnicodeError):  # brackets that do not match, a port that is no number
        raise invalid_address("This is no URL.") from None
    if "@" in parts.netloc:
        raise invalid_address("The URL must hold no user name or password.")
    if port == 0:
        raise invalid_address("The URL's port is none.")
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path + query)


def _host(parts: SplitResult) -> str:
    """In lower case and ASCII, without a dot at its end. An address only in its usual form."""
    host = parts.hostname or ""
    if parts.netloc.rpartition("@")[2].startswith("["):
        return str(IPv6Address(host)) if "%" not in host else _wrong_host()
    host = host.encode("idna").decode("ascii").lower().removesuffix(".")
    labels = host.split(".")
    if not all(_LABEL.match(label) for label in labels):
        return _wrong_host()
    if _NUMBER.match(labels[-1]):
        return str(IPv4Address(host))  # no 0x7f.1, no 2130706433, no 0177.0.0.1
    return host


def _wrong_host() -> str:
    raise invalid_address("The URL's host is no name or address of the public Internet.")
