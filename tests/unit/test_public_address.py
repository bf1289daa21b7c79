"""Where a partner's URL may not lead, by its form or by what its host resolves to."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from notifications.channels import public_address
from notifications.channels.public_address import Guard, not_public
from notifications.exceptions import PermanentError

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"

BY_FORM = {
    "plain HTTP": "http://partner.example/",
    "another scheme": "gopher://partner.example/",
    "no scheme": "//partner.example/",
    "a file": "file:///etc/passwd",
    "no host": "https:///hooks",
    "a user name": "https://user@partner.example/",
    "a host that hides as a user name": "https://partner.example@127.0.0.1/",
    "a backslash": "https://partner.example\\@127.0.0.1/",
    "a line break": "https://partner.example/\r\nHost: 127.0.0.1",
    "a tab in the scheme": "htt\tps://127.0.0.1/",
    "a port of another service": "https://partner.example:25/",
    "port 0": "https://partner.example:0/",
    "a port beyond all": "https://partner.example:65536/",
    "localhost": "https://localhost/",
    "localhost with a dot": "https://localhost./",
    "a name below localhost": "https://metadata.localhost/",
    "a name of one label": "https://metadata/",
    "an internal name": "https://metadata.google.internal/",
    "a name that mDNS answers": "https://printer.local/",
    "one number": "https://2130706433/",
    "one hexadecimal number": "https://0x7f000001/",
    "a short address": "https://127.1/",
    "hexadecimal parts": "https://0x7f.1/",
    "octal parts": "https://0177.0.0.1/",
    "parts beyond 255": "https://127.0.0.256/",
    "full-width digits": "https://\uff11\uff12\uff17.1/",
    "percent-encoded digits": "https://%31%32%37.0.0.1/",
    "an IPv6 zone": "https://[fe80::1%25eth0]/",
    "brackets that do not match": "https://[::1/",
    "an empty label": "https://partner..example/",
    "a label that is too long": f"https://{'a' * 64}.example/",
    "bytes that are no text": "https://partner.example/\udc80",
    "a URL that is too long": f"https://partner.example/{'a' * 2000}",
}
"""Refused as they stand, without a look-up."""

PRIVATE = {
    "this machine": ["127.0.0.1", "127.8.8.8", "::1"],
    "no address at all": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104 - not bound to
    "the cloud's metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"],
    "a cloud's own service": ["168.63.129.16"],
    "link-local": ["169.254.0.1", "fe80::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "private IPv6 (ULA, site-local)": ["fc00::1", "fdff::1", "fec0::1"],
    "shared by a carrier (CGNAT)": ["100.64.0.1", "100.127.255.255"],
    "multicast and broadcast": ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "192.0.0.192", "198.18.0.1", "100::1", "4000::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "IPv4 mapped into IPv6": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"],
    "IPv4 within IPv6 (compatible)": ["::127.0.0.1", "::7f00:1"],
    "IPv4 within IPv6 (NAT64)": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
    "IPv4 within IPv6 (6to4)": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "192.88.99.1"],
    "IPv4 within IPv6 (Teredo)": ["2001:0:7f00:1::1"],
}
"""Refused as a host, and when a name resolves to one of them."""

PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


def refusal(guard: Guard, url: str, *found: str) -> str:
    """The code with which `url` is refused whose host has the addresses `found`; empty: it is
    not."""
    try:
        guard.addresses(guard.target(url), lambda host, port: found)
    except PermanentError as error:
        return error.code
    return ""


@pytest.mark.parametrize("what", BY_FORM)
def test_a_url_of_a_wrong_form_is_refused_without_a_look_up(what: str) -> None:
    with pytest.raises(PermanentError) as caught:
        Guard(ports=[443]).target(BY_FORM[what])

    assert caught.value.code == "invalid_address"


@pytest.mark.parametrize("what", PRIVATE)
def test_an_address_that_is_not_public_is_refused(what: str) -> None:
    for address in PRIVATE[what]:
        host = f"[{address}]" if ":" in address else address
        assert refusal(Guard(), f"https://{host}/") == "private_address", address
        assert refusal(Guard(), "https://partner.example/", address) == "private_address", address


def test_one_address_of_several_that_is_not_public_refuses_them_all() -> None:
    assert refusal(Guard(), "https://partner.example/", *PUBLIC, "10.0.0.1") == "private_address"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached(address: str) -> None:
    assert not not_public(ip_address(address))
    assert not refusal(Guard(), "https://partner.example/hooks", address)


def test_addresses_in_ipv4_dots_of_another_alphabet_are_addresses() -> None:
    assert refusal(Guard(), "https://127。0。0。1/") == "private_address"


def test_what_is_allowed_by_name_may_be_reached_and_nothing_beside_it() -> None:
    guard = Guard(["10.1.0.0/16", "fd12::/16"])

    assert not refusal(guard, "http://10.1.2.3:8080/hooks")
    assert not refusal(guard, "http://partner.internal:8080/hooks", "10.1.2.3", "fd12::1")
    assert refusal(guard, "http://10.2.0.1/") == "private_address"
    assert refusal(guard, "http://partner.example/", "10.1.2.3", "10.2.0.1") == "private_address"
    assert refusal(guard, "http://partner.example/", "8.8.8.8") == "invalid_address"
    assert refusal(guard, "https://partner.example:8080/", "8.8.8.8") == "invalid_address"
    assert refusal(guard, "https://partner.internal/", "8.8.8.8") == "invalid_address"


def test_an_address_within_another_is_connected_to_as_what_it_is() -> None:
    guard = Guard()
    target = guard.target("https://partner.example/")

    assert guard.addresses(target, lambda host, port: ["::ffff:8.8.8.8", "8.8.8.8"]) == [
        ip_address("8.8.8.8")
    ]


@pytest.mark.parametrize(
    ("url", "host", "authority", "path"),
    [
        ("https://Partner.Example", "partner.example", "partner.example", "/"),
        ("https://partner.example./a?b=c#d", "partner.example", "partner.example", "/a?b=c"),
        ("https://bücher.example:443/ä", "xn--bcher-kva.example", None, "/%C3%A4"),
        ("https://partner.example:8443/%2e/x", "partner.example", "partner.example:8443", "/%2e/x"),
        ("https://[2606:4700::1]:8443/", "2606:4700::1", "[2606:4700::1]:8443", "/"),
    ],
)
def test_a_url_is_asked_as_it_was_read(
    url: str, host: str, authority: str | None, path: str
) -> None:
    target = Guard(ports=[443, 8443]).target(url)

    assert (target.host, target.authority, target.path) == (host, authority or host, path)


def test_a_name_that_has_no_address_is_said_to_have_none() -> None:
    guard = Guard()
    with pytest.raises(OSError, match="no address"):
        guard.addresses(guard.target("https://partner.example/"), lambda host, port: [])


def test_the_systems_resolver_reads_what_a_literal_hides() -> None:
    """Should a form slip through that only the system knows: its address is looked at all the
    same."""
    assert public_address.resolve("0x7f.1", 443) == ["127.0.0.1"]


def test_the_guide_lists_every_attempt() -> None:
    guide = GUIDE.read_text()

    for what in (*BY_FORM, *PRIVATE):
        assert what in guide, f"docs/webhooks.md does not name: {what}"
