"""Wrong passwords run out: for a name from an address, and for an address. Nobody is shut out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.http import HttpResponse
from django.test import Client, RequestFactory

from notifications.console.login import OF_A_NAME, OF_AN_ADDRESS, address_of
from notifications.models import AuditEntry, LoginFailure
from orders_site.checks import visitors_are_told_apart

pytestmark = pytest.mark.django_db

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def ada() -> User:
    return User.objects.create_superuser("ada", password="difference-engine")


def log_in(password: str, *, name: str = "ada", address: str = HOME) -> HttpResponse:
    given = {"username": name, "password": password, "next": "/admin/"}
    return Client(REMOTE_ADDR=address).post("/admin/login/", given)


def later(span: timedelta) -> None:
    LoginFailure.objects.update(until=F("until") - span)


def test_after_five_wrong_passwords_even_the_right_one_is_not_looked_at() -> None:
    for _ in range(OF_A_NAME):
        assert log_in("wrong").status_code == 200

    refused = log_in("difference-engine")

    assert refused.status_code == 429
    assert 290 <= int(refused["Retry-After"]) <= 300
    assert "Too many wrong passwords from here. Try again in 5 minutes." in refused.content.decode()
    later(timedelta(minutes=5))
    assert log_in("difference-engine").status_code == 302


def test_nobody_is_shut_out_from_elsewhere() -> None:
    for _ in range(OF_A_NAME + 1):
        log_in("wrong", address=ELSEWHERE)
    assert log_in("difference-engine", address=ELSEWHERE).status_code == 429
    assert log_in("difference-engine").status_code == 302


def test_a_socket_for_ipv6_too_takes_not_all_of_ipv4_for_one_network() -> None:
    """Or whoever guesses thirty times would shut everybody out."""
    for n in range(OF_AN_ADDRESS + 1):
        log_in("wrong", name=f"u{n}", address=f"::ffff:{ELSEWHERE}")
    assert log_in("difference-engine", address=f"::ffff:{ELSEWHERE}").status_code == 429
    assert log_in("difference-engine", address=f"::ffff:{HOME}").status_code == 302


def test_one_address_tries_no_long_list_of_names() -> None:
    answers = [log_in("wrong", name=f"u{n}").status_code for n in range(OF_AN_ADDRESS + 1)]
    assert answers == [200] * OF_AN_ADDRESS + [429]
    assert log_in("difference-engine").status_code == 429
    later(timedelta(seconds=20))
    assert log_in("difference-engine").status_code == 302


def test_a_right_password_costs_nothing_and_clears_the_wrong_ones() -> None:
    for _ in range(3):
        for _ in range(OF_A_NAME - 1):
            log_in("wrong")
        assert log_in("difference-engine").status_code == 302
    assert LoginFailure.objects.count() == 1, "the address's own wrong ones are remembered"


def test_who_does_not_exist_is_answered_alike() -> None:
    def told(name: str) -> list[tuple[int, str]]:
        answers = [log_in("wrong", name=name, address=name) for _ in range(OF_A_NAME + 1)]
        return [
            (each.status_code, each.content.decode().split('class="errornote"')[1].split("</p>")[0])
            for each in answers
        ]

    assert told("ada") == told("nobody")


def test_wrong_passwords_stand_in_the_audit_and_what_is_refused_unread_does_not() -> None:
    for _ in range(OF_A_NAME + 3):
        log_in("wrong")
    refused = AuditEntry.objects.filter(action="user.sign_in_refused", door="page")
    assert refused.count() == OF_A_NAME


def test_neither_name_nor_address_is_kept() -> None:
    log_in("wrong")
    keys = " ".join(LoginFailure.objects.values_list("key", flat=True))
    assert len(keys.split()) == 2
    assert "ada" not in keys
    assert HOME not in keys
    later(timedelta(days=1))
    log_in("wrong", name="mira", address=ELSEWHERE)
    assert LoginFailure.objects.count() == 2, "old ones are forgotten"


def test_one_machine_s_many_addresses_are_one() -> None:
    for n in range(OF_A_NAME):
        log_in("wrong", address=f"2001:db8::{n}")
    assert log_in("wrong", address="2001:db8::ffff").status_code == 429
    assert log_in("wrong", address="2001:db8:0:1::1").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "192.0.2.1", "10.0.0.1"),
        (1, "192.0.2.66, 192.0.2.1", "192.0.2.1"),
        (2, "192.0.2.66, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "192.0.2.1", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "unknown", "10.0.0.1"),
    ],
)
def test_behind_proxies_it_is_what_our_own_ones_saw(
    settings: Any, proxies: int, header: str, address: str
) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "TRUSTED_PROXIES": proxies}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=header)
    assert address_of(request) == address


def test_a_proxy_that_hides_who_asks_is_warned_of(settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert [each.id for each in visitors_are_told_apart()] == ["shop.W004"]
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "TRUSTED_PROXIES": 1}
    assert not visitors_are_told_apart()
