"""Who may use the order API: tokens, rates, the command and the admin."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders_site.api.authentication import TRUSTED_FOR, KnownTokens
from orders_site.api.clients import end_old_token, make_client, revoke_client, rotate_token
from orders_site.api.exceptions import ClientRefused, Problem
from orders_site.api.models import Allowance, ApiClient
from orders_site.api.throttling import BURST_SECONDS, VOID_AFTER, Throttle
from orders_site.api.tokens import hash_of
from tests.api import Caller, a_caller
from tests.shop import a_customer

pytestmark = pytest.mark.django_db
CLIENTS = "/admin/api/apiclient/"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("api_clients", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def admitted(throttle: Throttle, client: ApiClient, requests: int) -> int:
    """How many of so many requests are let through."""
    let_through = 0
    for _ in range(requests):
        try:
            throttle.admit(client)
        except Problem:
            continue
        let_through += 1
    return let_through


# Tokens


def test_of_a_token_only_its_hash_is_kept() -> None:
    client, token = make_client(name="till")
    assert token.startswith("ops_")
    assert len(token) >= 47
    assert client.token_hash == hash_of(token)
    row = ApiClient.objects.values().get()
    assert token not in str(row)
    assert token not in repr(client)


def test_a_known_token_costs_no_statement_for_some_seconds() -> None:
    clock = Clock()
    known, (client, token) = KnownTokens(clock), make_client(name="till")

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert known.client_of(token) == client
        return len(captured)

    assert [statements(), statements()] == [1, 0]
    clock.now += TRUSTED_FOR
    assert [statements(), statements()] == [1, 0]


def test_a_revocation_reaches_the_other_processes_within_those_seconds() -> None:
    clock = Clock()
    elsewhere, (_, token) = KnownTokens(clock), make_client(name="till")
    assert elsewhere.client_of(token)
    revoke_client(name="till", by="me", reason="lost")
    clock.now += TRUSTED_FOR
    assert elsewhere.client_of(token) is None


def test_a_revoked_client_is_refused_and_its_orders_stay() -> None:
    caller = a_caller()
    assert caller.place(a_customer()).status_code == 201
    revoke_client(name=caller.name, by="me", reason="the till was stolen")
    assert caller.get().status_code == 401


def test_a_new_token_finds_the_same_orders_as_the_old_one_until_that_ends() -> None:
    caller = a_caller()
    order = caller.place(a_customer()).json()
    renewed = Caller(caller.name, rotate_token(name=caller.name))
    assert caller.get().json()["orders"] == renewed.get().json()["orders"] == [order]
    end_old_token(name=caller.name)
    assert caller.get().status_code == 401
    assert renewed.get().json()["orders"] == [order]
    with pytest.raises(ClientRefused, match="has no old token"):
        end_old_token(name=caller.name)


def test_of_three_tokens_the_first_is_good_no_more_and_a_revocation_ends_all() -> None:
    first = a_caller()
    second = Caller(first.name, rotate_token(name=first.name))
    third = Caller(first.name, rotate_token(name=first.name))
    assert [each.get().status_code for each in (first, second, third)] == [401, 200, 200]
    revoke_client(name=first.name, by="me", reason="lost")
    assert [each.get().status_code for each in (second, third)] == [401, 401]


# The rate


def test_a_rested_client_may_spend_ten_seconds_worth_at_once() -> None:
    client, _ = make_client(name="till", rate_per_minute=60)
    assert admitted(Throttle(), client, 20) == BURST_SECONDS


def test_the_processes_share_one_rate() -> None:
    client, _ = make_client(name="till", rate_per_minute=120)
    processes = [Throttle() for _ in range(4)]
    assert sum(admitted(process, client, 10) for process in processes) == 20


def test_most_requests_of_a_fast_client_cost_no_statement() -> None:
    client, _ = make_client(name="till", rate_per_minute=60_000)
    throttle = Throttle()
    with CaptureQueriesContext(connection) as captured:
        assert admitted(throttle, client, 200) == 200
    assert len(captured) == 2


def test_what_a_process_has_not_spent_within_a_second_is_void() -> None:
    clock = Clock()
    client, _ = make_client(name="till", rate_per_minute=60_000)
    throttle = Throttle(clock)
    throttle.admit(client)
    clock.now += VOID_AFTER
    with CaptureQueriesContext(connection) as captured:
        throttle.admit(client)
    assert len(captured) == 1


def test_a_client_that_floods_is_refused_without_a_statement_each() -> None:
    clock = Clock()
    client, _ = make_client(name="till", rate_per_minute=1)
    throttle = Throttle(clock)
    throttle.admit(client)
    with CaptureQueriesContext(connection) as captured:
        assert admitted(throttle, client, 50) == 0
    assert len(captured) == 1
    with pytest.raises(Problem) as refused:
        throttle.admit(client)
    assert 55 <= int(refused.value.headers["Retry-After"]) <= 60


def test_a_raised_rate_lets_a_refused_client_in_again() -> None:
    clock = Clock()
    client, _ = make_client(name="till", rate_per_minute=1)
    throttle = Throttle(clock)
    assert admitted(throttle, client, 2) == 1
    client.rate_per_minute = 600_000
    Allowance.objects.filter(client=client.name).delete()
    clock.now += 1
    assert admitted(throttle, client, 100) == 100


def test_a_request_too_many_is_told_when_to_come_back() -> None:
    caller = a_caller(rate=1)
    assert caller.get().status_code == 200
    response = caller.get()
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(response["Retry-After"]) <= 60
    assert a_caller().get().status_code == 200


def test_the_buckets_need_no_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'api_allowance'")
        assert cursor.fetchone() == ("u",)


# The command


def test_a_client_is_made_and_its_token_printed_alone() -> None:
    token = command("create", "web-shop", "--rate", "90", "--by", "me").strip()
    client = ApiClient.objects.get()
    assert (client.name, client.rate_per_minute, client.created_by) == ("web-shop", 90, "me")
    assert Caller("web-shop", token).get().status_code == 200


def test_the_list_says_who_there_is_and_no_token() -> None:
    token = json.loads(command("--json", "create", "web-shop"))["token"]
    command("create", "till")
    command("revoke", "till", "--reason", "stolen", "--by", "me")
    words = command()
    assert re.search(r"web-shop +600/min, made .* by ", words)
    assert re.search(r"till .*revoked .* by me: stolen", words)
    listed = {row["name"]: row for row in json.loads(command("list", "--json"))["clients"]}
    assert listed["web-shop"]["active"]
    assert not listed["till"]["active"]
    assert listed["till"]["revoke_reason"] == "stolen"
    assert token not in words + str(listed)
    assert "hash" not in str(listed)


def test_a_new_token_is_printed_by_rotate_and_until_when_the_old_one_is_good_by_list() -> None:
    old = command("create", "till").strip()
    new = command("rotate", "till").strip()
    assert [Caller("till", token).get().status_code for token in (old, new)] == [200, 200]
    assert re.search(r"till .*, its old token until 20", command())
    assert "24 h more; the one before that ends at once;" in command("rotate", "till", "--dry-run")
    newest = command("rotate", "till", "--overlap", "0").strip()
    assert [Caller("till", token).get().status_code for token in (new, newest)] == [401, 200]
    assert "old token" not in command()
    assert json.loads(command("list", "--json"))["clients"][0]["old_token_until"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        *(["create", "x"], ["rotate", "till"], ["end-old", "till"]),
        *([verb, "till", "--reason", "r"] for verb in ("allow", "revoke")),
    ],
)
def test_a_dry_run_changes_nothing(arguments: list[str]) -> None:
    make_client(name="till")
    rotate_token(name="till")
    before = list(ApiClient.objects.values())
    assert "nothing was done" in command(*arguments, "--dry-run")
    assert list(ApiClient.objects.values()) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "a b"], "name: "),
        (["create", "till"], "name: "),
        (["create", "x" * 41], "name: "),
        (["create", "x", "--rate", "0"], "requests a minute"),
        (["create", "x", "--rate", "fast"], "requests a minute"),
        (["rotate", "nobody"], "there is no nobody"),
        (["rotate", "till", "--overlap", "721"], "0 to 720 hours"),
        (["end-old", "till"], "till has no old token"),
        (["end-old", "till", "--dry-run"], "till has no old token"),
        (["forbid", "till", "--reason", "r"], "till may not announce already"),
        (["forbid", "till", "--reason", "r", "--dry-run"], "till may not announce already"),
        (["revoke", "nobody", "--reason", "r"], "there is no nobody"),
        (["revoke", "gone", "--reason", "r"], "gone is revoked"),
        (["rotate", "gone", "--dry-run"], "gone is revoked"),
        (["create", "gone", "--dry-run"], "name: "),
        (["revoke", "till"], "--reason"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(arguments: list[str], complaint: str) -> None:
    make_client(name="till")
    make_client(name="gone")
    revoke_client(name="gone", by="me", reason="r")
    with pytest.raises(CommandError, match=complaint) as refused:
        command(*arguments)
    assert "\n" not in str(refused.value).strip()


# The admin


def test_the_admin_makes_a_client_and_shows_its_token_once(admin_client: Client) -> None:
    assert admin_client.get(f"{CLIENTS}add/").status_code == 200
    made = admin_client.post(f"{CLIENTS}add/", {"name": "till", "rate_per_minute": "60"})
    token = re.search(r"ops_[\w-]+", made.content.decode())
    assert token
    assert "no-store" in made["Cache-Control"]
    assert Caller("till", token[0]).get().status_code == 200

    client = ApiClient.objects.get()
    assert (client.created_by, client.rate_per_minute) == ("admin", 60)
    for page in (CLIENTS, f"{CLIENTS}{client.pk}/change/", "/admin/"):
        html = admin_client.get(page).content.decode()
        assert token[0] not in html
        assert client.token_hash not in html


@pytest.mark.parametrize("form", [{"name": "a b"}, {"name": ""}, {"rate_per_minute": "0"}])
def test_the_admin_asks_again_for_what_is_wrong(admin_client: Client, form: Any) -> None:
    response = admin_client.post(
        f"{CLIENTS}add/", {"name": "till", "rate_per_minute": "60", **form}
    )
    assert "errorlist" in response.content.decode()
    assert not ApiClient.objects.exists()


def test_the_admin_revokes_by_post_with_a_reason(admin_client: Client) -> None:
    client, _ = make_client(name="till")
    address = f"{CLIENTS}{client.pk}/revoke/"
    assert address in admin_client.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    assert admin_client.get(address).status_code == 405

    admin_client.post(address, {"reason": "stolen"})
    client.refresh_from_db()
    assert (client.active, client.revoked_by, client.revoke_reason) == (False, "admin", "stolen")
    page = admin_client.get(f"{CLIENTS}{client.pk}/change/").content.decode()
    assert address not in page
    assert "stolen" in page
    again = admin_client.post(address, {"reason": "twice"}, follow=True).content.decode()
    assert "Nothing was done" in again


def test_who_may_only_look_changes_nothing(client: Client) -> None:
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_apiclient"))
    client.force_login(user)
    row, _ = make_client(name="till")

    assert client.get(f"{CLIENTS}{row.pk}/change/").status_code == 200
    assert client.post(f"{CLIENTS}{row.pk}/revoke/", {"reason": "x"}).status_code == 403
    assert client.post(f"{CLIENTS}add/", {"name": "x", "rate_per_minute": 1}).status_code == 403
    row.refresh_from_db()
    assert row.active


def test_an_orders_page_shows_its_client_and_the_list_finds_it(admin_client: Client) -> None:
    caller, customer = a_caller(), a_customer()
    mine = caller.place(customer).json()["id"]
    other = a_caller().place(customer).json()["id"]

    assert caller.name in admin_client.get(f"/admin/orders/order/{mine}/change/").content.decode()
    found = admin_client.get("/admin/orders/order/", {"q": caller.name}).content.decode()
    assert f"/admin/orders/order/{mine}/change/" in found
    assert f"/admin/orders/order/{other}/change/" not in found
