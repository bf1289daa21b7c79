"""Announcing over the API: for clients that may, each its own alone, once per key."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest

from notifications.announcements import begin, wish
from notifications.models import Announcement
from orders_site.api.clients import allow_announcing
from tests.api import Caller, a_caller
from tests.shop import a_customer

pytestmark = pytest.mark.django_db

PATH = "/api/announcements"
OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
NEWS = {"event_type": "shop.news", "audience": "customers", "data": OFFER, "reason": "sale"}


@pytest.fixture
def caller() -> Caller:
    return a_caller(may_announce=True)


def test_an_announcement_is_begun_and_read_by_its_client(caller: Caller) -> None:
    a_customer()
    response = caller.post(PATH, {**NEWS, "channels": ["email", "push"], "rate": 100})

    assert response.status_code == 201
    announcement = Announcement.objects.get()
    assert response["Location"] == f"{PATH}/{announcement.pk}"
    assert (announcement.actor, announcement.reason) == (f"api:{caller.name}", "sale")
    told = response.json()
    assert (told["state"], told["channels"], told["total"]) == ("expanding", ["email", "push"], 1)
    assert told["rate"] == 100
    assert [lane["channel"] for lane in told["lanes"]] == ["email", "push"]
    assert caller.get(response["Location"]).json() == told
    assert caller.get(PATH).json() == {"announcements": [told], "next": None}


def test_one_key_announces_once(caller: Caller) -> None:
    a_customer()
    first = caller.post(PATH, NEWS, key="sale")
    in_another_order = {**NEWS, "data": dict(reversed(OFFER.items()))}
    again = caller.post(PATH, in_another_order, key="sale")
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert Announcement.objects.count() == 1


def test_it_is_paused_resumed_and_cancelled_with_who_and_why(caller: Caller) -> None:
    a_customer()
    path = caller.post(PATH, NEWS)["Location"]
    for verb, state in (("pause", "paused"), ("resume", "expanding"), ("cancel", "cancelled")):
        response = caller.post(f"{path}/{verb}", {"reason": f"to {verb}"})
        assert (response.status_code, response.json()["state"]) == (200, state)
    log = Announcement.objects.get().log.order_by("id").values_list("by", "text")
    assert list(log)[1:] == [
        (f"api:{caller.name}", "paused: to pause"),
        (f"api:{caller.name}", "resumed: to resume"),
        (f"api:{caller.name}", "cancelled: to cancel"),
    ]
    response = caller.post(f"{path}/resume", {"reason": "after all"})
    assert response.status_code == 409
    error = response.json()["error"]
    assert (error["code"], error["state"]) == ("illegal_transition", "cancelled")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": "\0"}, "reason"),
        ({"audience": "\0"}, "No audience is named"),
        ({"data": {**OFFER, "\0": "\0"}}, "data: Input holds NaN, NUL or half of a surrogate pair"),
        ({"data": {**OFFER, "until_when": "x"}}, "Extra inputs are not permitted"),
        ({"event_type": "shop.gossip"}, "shop.gossip is not registered here"),
        ({"audience": "martians"}, "No audience is named 'martians'"),
        ({"channels": ["pigeon"]}, "shop.news is not told over pigeon"),
        ({"data": {**OFFER, "percent_off": 100}}, "percent_off"),
        (
            {"data": {**OFFER, "code": "\ud800"}},
            "data: Input holds NaN, NUL or half of a surrogate",
        ),
        ({"data": {**OFFER, "percent_off": nan}}, "data: Input holds NaN, NUL or half of a surr"),
        ({"data": {**OFFER, "code": [[[[[[[[[["PINE20"]]]]]]]]]]}}, "data: Input is nested too de"),
        ({"rate": 0}, "rate: Input should be greater than or equal to"),
        ({"rate": 5e-324}, "rate: Input should be greater than or equal to"),
        ({"reason": ""}, "reason: String should have at least 1 character"),
        ({"reason": " \n"}, "reason: String should have at least 1 character"),
    ],
)
@pytest.mark.parametrize("key", [None, "sale"])
def test_what_cannot_be_announced_is_invalid(
    caller: Caller, change: dict[str, Any], said: str, key: str | None
) -> None:
    a_customer()
    response = caller.post(PATH, {**NEWS, **change}, key=key)
    assert response.status_code == 422
    assert said in response.json()["error"]["message"]
    assert not Announcement.objects.exists()


def test_only_a_client_that_may_announces_and_sees_only_its_own(caller: Caller) -> None:
    a_customer()
    other = a_caller()
    path = caller.post(PATH, NEWS)["Location"]
    operators = begin(wish("shop.news", audience="customers", data=OFFER), by="ada", reason="x")

    for response in (other.post(PATH, NEWS), other.get(PATH), other.get(path)):
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"
    allow_announcing(name=other.name, allowed=True, by="ada", reason="the newsletter's tool")
    assert other.get(path).status_code == 404
    assert other.post(f"{path}/cancel", {"reason": "not mine"}).status_code == 404
    assert caller.get(f"{PATH}/{operators.pk}").status_code == 404
    assert Announcement.objects.filter(state="expanding").count() == 2
