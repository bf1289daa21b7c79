"""What is kept of a provider's words names nobody."""

from __future__ import annotations

import pytest

from notifications.recipients import mask
from notifications.redaction import MAX_LENGTH, redact


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <ann.smith@example.org> unknown", "550 <a…@example.org> unknown"),
        ("Phone number +49 151 2345-6789 is opted out", "Phone number …6789 is opted out"),
        ("to: +4915123456789", "to: …6789"),
        ("+49 151/23 45 67-89 is no mobile", "…6789 is no mobile"),
        ("+49\N{NO-BREAK SPACE}151\N{NO-BREAK SPACE}23456789 is opted out", "…6789 is opted out"),
        ("(0151) 23 45 67 89 refused", "…6789 refused"),
        ("Authorization: Bearer abcdef0123456789.xyz", "Authorization: Bearer …"),
        ("api_key=s3cr3ts3cr3t failed", "api_key= … failed"),
        ("?to=ann.smith%40example.org refused", "?…@example.org refused"),
        ('"access_token":"s3cr3ts3cr3t"', '"access_token": …"'),
        ("client_secret=s3cr3ts3cr3t&x=1", "client_secret= …&x=1"),
        ("'SecretAccessKey': 's3cr3ts3cr3t'", "'SecretAccessKey': …'"),
        ("DJANGO_SECRET_KEY=s3cr3ts3cr3t", "DJANGO_SECRET_KEY= …"),
        ('RCPT TO:<"ann smith"@example.org>', 'RCPT TO:<"…@example.org>'),
        ("ann.smith@[192.0.2.1] refused", "a…@[192.0.2.1] refused"),
        ("ann\N{FULLWIDTH COMMERCIAL AT}example.org", "a…@example.org"),
        ("ann\N{SMALL COMMERCIAL AT}example.org", "a…@example.org"),
        (r"ann\u0040example.org and ann&#64;example.org", "a…@example.org and a…@example.org"),
        ('{"to":4915123456789}', '{"to":…6789}'),
        ("tel:4915123456789", "tel:…6789"),
        ("\N{FULLWIDTH PLUS SIGN}4915123456789 refused", "…6789 refused"),
        ("+49\N{NON-BREAKING HYPHEN}151\N{THIN SPACE}23456789 refused", "…6789 refused"),
        ("?to=%2B49%2015123456789&x=1", "?to=…6789&x=1"),
        ("+4915123456789x12", "…6789x12"),
        (
            "not verified: Ann@Example.org, shop@a.example",
            "not verified: A…@Example.org, s…@a.example",
        ),
    ],
)
def test_addresses_and_credentials_are_masked(said: str, kept: str) -> None:
    assert redact(said) == kept


@pytest.mark.parametrize(
    "said",
    [
        "throttled at 2026-11-20T10:15:00Z, request 0198c3a2-7d1e-7f00-8000-0242ac120002",
        "at 2026-11-20 10:15:00 the quota of 50000 was used up",
        "(#131026) Message undeliverable",
        "HTTP 503 after 10000 ms from 127.0.0.1:45123",
        "arn:aws:sns:eu-central-1:123456789012:prod-order-events at 10:15:00.123456+00:00",
    ],
)
def test_what_names_nobody_stays_readable(said: str) -> None:
    assert redact(said) == said


def test_a_device_token_is_masked_where_it_stands() -> None:
    token = "fMx3:APA91bHPRgkF3JUikC4ENAHEeMrd41Zxv3hVZjC9KtT8OvPVGJ"

    assert redact(f"{token} is not registered", address=token) == "…PVGJ is not registered"


def test_an_address_is_masked_in_whatever_case_it_comes_back() -> None:
    assert redact("Ada@localhost is unknown", address="ada@LOCALHOST") == "a…@LOCALHOST is unknown"


def test_a_hostile_text_costs_no_more_time_than_its_length() -> None:
    assert len(redact("a" * 1_000_000)) == MAX_LENGTH


@pytest.mark.parametrize(
    "said",
    [
        *("+" + "1 (" * 14 + "1; ", "a" * 64 + "%40b;", "ann.smith@example.org, ", "x"),
        *("token=" + "s" * 3000 + " ", "https://partner.example/" + "secret/" * 300 + " "),
    ],
    ids=lambda said: said[:20],
)
def test_of_a_long_text_the_excerpt_is_the_same_as_though_all_of_it_were_looked_at(
    said: str,
) -> None:
    text, address = said * 1000, said.strip()
    whole = redact(text, address=address, limit=len(text))
    assert redact(text, address=address, limit=500) == whole[:500]
    assert redact(text, limit=500) == redact(text, limit=len(text))[:500]


def test_an_excerpt_is_short_and_fit_for_postgresql() -> None:
    assert len(redact("x" * 5000)) == MAX_LENGTH
    assert redact("a\0b") == redact("a\ud83db") == "ab"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.partner.example/a/secret/path", "https://hooks.partner.example/…"),
        ("https://hooks.partner.example:8443?token=secret", "https://hooks.partner.example:8443/…"),
        ("https://user:secret@partner.example/a@b.example", "https://partner.example/…"),
    ],
)
def test_of_a_url_the_host_is_shown(url: str, shown: str) -> None:
    assert mask(url) == shown
    assert redact(f"POST {url} failed", address=url) == f"POST {shown} failed"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "<p>The requested URL /a/Secret-path was not found",
            "<p>The requested URL /… was not found",
        ),
        ("Cannot POST /a/secret-path?key=word", "Cannot POST /…"),
        ("Cannot POST /a/secret-path?key=word&amp;x=1", "Cannot POST /…&amp;x=1"),
        ("no such hook: key=word", "no such hook: …"),
    ],
)
def test_a_server_that_quotes_the_path_of_a_url_does_not_give_it_away(
    said: str, shown: str
) -> None:
    assert redact(said, address="https://hooks.partner.example/a/secret-path?key=word") == shown
    assert redact("404 / not found", address="https://hooks.partner.example/") == "404 / not found"
