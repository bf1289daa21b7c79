"""The demo's judge must find what is lost, doubled or uncalled for."""

from __future__ import annotations

from pathlib import Path

import pytest

from orders_site.demo.manifest import Call, Contact, Manifest
from orders_site.demo.verdict import judge

ANNA = Contact({"email": ("anna@example.org",), "push": ("phone", "tablet")})


@pytest.fixture
def manifest(tmp_path: Path):
    manifest = Manifest(tmp_path / "manifest.jsonl")
    yield manifest
    manifest.close()


def test_what_arrived_once_is_good(manifest):
    manifest.add(subject="order/1", event_type="order.created", contact=ANNA)
    verdict = judge(manifest, manifest.required)
    assert verdict.good
    assert verdict.expected == verdict.accepted == 3


def test_what_did_not_arrive_is_lost(manifest):
    manifest.add(subject="order/1", event_type="order.created", contact=ANNA)
    verdict = judge(manifest, [])
    assert [call.address for call in verdict.lost] == ["anna@example.org", "phone", "tablet"]
    assert not verdict.good


def test_what_arrived_twice_is_doubled_even_when_it_was_optional(manifest):
    manifest.add(subject="order/1", event_type="order.created", contact=ANNA)
    manifest.withdraw(subject="order/1")
    call = Call("order/1", "order.created", "email", "anna@example.org")
    assert judge(manifest, [call]).good
    assert judge(manifest, [call, call]).doubled == (call,)


def test_what_nobody_asked_for_is_uncalled(manifest):
    manifest.add(subject="order/1", event_type="order.created", contact=ANNA)
    stray = Call("order/1", "order.created", "sms", "+491713920000")
    assert judge(manifest, [*manifest.required, stray]).uncalled == (stray,)


def test_other_runs_are_left_out(manifest):
    manifest.add(subject="order/2", event_type="order.created", contact=ANNA)
    earlier = Call("order/1", "order.created", "email", "anna@example.org")
    assert judge(manifest, [*manifest.required, earlier]).good
