"""The links by which people stop what they do not want to hear, and the pages behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.core import signing
from django.test import Client
from django.utils.html import escape

from notifications import unsubscribe
from notifications.channels.memory import MemoryChannel
from notifications.conf import Category
from notifications.models import Consent, Delivery, Preference
from notifications.preferences import set_preference, wanted
from notifications.unsubscribe import Link, PreferenceLink
from tests import news
from tests.integration.letters import ANN, Town, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("club")]

LINK = Link(ANN.reference, "news", "email", "a-delivery", "en")
ALL = PreferenceLink(ANN.reference, "a-delivery", "en")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def club(town: Town, settings: Any, tmp_path: Path) -> Iterator[Town]:
    """The town, with a club that sends news, and the pages."""
    (backend,) = settings.TEMPLATES
    pages = Path(apps.get_app_config("notifications").path) / "templates"
    settings.TEMPLATES = [{**backend, "DIRS": [*backend["DIRS"], pages]}]
    with news.declared(settings, tmp_path):
        yield town


@pytest.fixture
def stranger() -> Client:
    """Somebody without a cookie or a CSRF token."""
    return Client(enforce_csrf_checks=True)


def path_of(link: Link | PreferenceLink) -> str:
    return urlsplit(link.url).path


def wants(channel: str = "email") -> bool:
    return wanted(ANN.reference, "news", channel)


def test_news_by_email_carries_the_headers_and_the_link() -> None:
    tell(news.issue())

    (message,) = MemoryChannel.outbox("email")
    (url,) = re.findall(r"Unsubscribe: (\S+)", message.content.text)
    assert message.headers == {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert url.startswith("https://shop.example/notifications/unsubscribe/")
    assert len(message.headers["List-Unsubscribe"]) < 998 - len("List-Unsubscribe: ")  # RFC 5322
    link = unsubscribe.read(url.rpartition("/")[2])
    assert link == Link("customer/1", "news", "email", str(Delivery.objects.get().pk), "en")
    assert ANN.address not in signing.b64_decode(link.token.partition(".")[0].encode()).decode()


def test_other_channels_have_the_link_and_transactional_mail_has_no_header() -> None:
    tell(news.issue(), "sms")
    tell(letter())

    (text,) = MemoryChannel.outbox("sms")
    (mail,) = MemoryChannel.outbox("email")
    assert "Stop it: https://shop.example/notifications/unsubscribe/" in text.content.text
    assert text.headers == mail.headers == {}


def test_without_a_public_address_a_message_has_no_link(settings: Any) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "PUBLIC_URL": ""}

    tell(news.issue())
    tell(news.issue(), "sms")

    (mail,) = MemoryChannel.outbox("email")
    assert mail.headers == {}
    assert MemoryChannel.outbox("sms")[0].content.text == "Issue 1 is out."


@pytest.mark.parametrize("method", ["get", "head"])
def test_whoever_only_looks_changes_nothing(stranger: Client, method: str) -> None:
    for link in (LINK, ALL):
        assert getattr(stranger, method)(path_of(link)).status_code == 200

    assert wants()
    assert not Preference.objects.exists()


@pytest.mark.parametrize("multipart", [False, True])
def test_a_mail_provider_unsubscribes_by_one_post(stranger: Client, multipart: bool) -> None:
    """RFC 8058, section 3.2: a form of either kind, without cookies, and no redirect."""
    urlencoded = {} if multipart else {"content_type": "application/x-www-form-urlencoded"}
    body: Any = ONE_CLICK if multipart else "List-Unsubscribe=One-Click"

    for _ in range(2):
        response = stranger.post(path_of(LINK), body, **urlencoded)
        assert response.status_code == 200

    assert not wants()
    assert wants("sms")
    consent = Consent.objects.get()
    assert (consent.source, consent.proof) == ("one_click", "delivery a-delivery")


def test_the_button_stops_it_and_undo_brings_it_back(stranger: Client) -> None:
    stopped = stranger.post(path_of(LINK), {"wanted": "no"})
    assert not wants()
    undone = stranger.post(path_of(LINK), {"wanted": "yes"})
    assert wants()

    assert "You are unsubscribed" in stopped.text
    assert "Undo" in stopped.text
    assert "It is undone" in undone.text
    sources = Consent.objects.order_by("id").values_list("wanted", "source")
    assert list(sources) == [(False, "page"), (True, "page")]


@pytest.mark.parametrize("body", [{}, {"wanted": "maybe"}, {"List-Unsubscribe": "Two-Clicks"}])
def test_a_post_that_asks_for_nothing_does_nothing(stranger: Client, body: Any) -> None:
    assert stranger.post(path_of(LINK), body).status_code == 400
    assert wants()


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_there_is_no_other_method(stranger: Client, method: str) -> None:
    for link in (LINK, ALL):
        assert getattr(stranger, method)(path_of(link)).status_code == 405


def _forged() -> dict[str, str]:
    payload, stamp, signature = LINK.token.split(".")
    mallory = Link("customer/666", "news", "email").token
    return {
        "nothing signed": "customer.1.news",
        "another's signature": f"{mallory.split('.')[0]}.{stamp}.{signature}",
        "a later stamp": f"{payload}.{mallory.split('.')[1]}x.{signature}",
        "cut off": LINK.token[:-1],
        "longer": f"{LINK.token}A",
        "no signature": f"{payload}.{stamp}.",
        "of another key": signing.TimestampSigner(
            key="guessed", sep=".", salt="notifications.unsubscribe"
        ).sign_object(["customer/1", "news", "email", "", ""]),
        "of another purpose": ALL.token,
        "of another shape": signing.TimestampSigner(
            sep=".", salt="notifications.unsubscribe"
        ).sign_object({"person": "customer/1"}),
        "not base64": "ü€.1.1",
    }


@pytest.mark.parametrize(
    "forgery",
    [
        "nothing signed",
        "another's signature",
        "a later stamp",
        "cut off",
        "longer",
        "no signature",
        "of another key",
        "of another purpose",
        "of another shape",
        "not base64",
    ],
)
def test_a_forged_link_does_nothing(stranger: Client, forgery: str) -> None:
    token = _forged()[forgery]
    for name in ("unsubscribe", "preferences"):
        if (name, forgery) == ("preferences", "of another purpose"):
            token = LINK.token
        path = f"/notifications/{name}/{token}"
        for response in (stranger.get(path), stranger.post(path, {**ONE_CLICK, "wanted": "no"})):
            assert response.status_code == 404
            assert "This link does not work" in response.text
    assert not Consent.objects.exists()


class _LongAgo(signing.TimestampSigner):
    def timestamp(self) -> str:
        return signing.b62_encode(0)


def _of_long_ago(purpose: str, link: Link | PreferenceLink) -> str:
    signer = _LongAgo(sep=".", salt=f"notifications.{purpose}")
    return signer.sign_object(list(astuple(link)))


def test_a_link_outlives_the_secret_key_it_was_signed_with(stranger: Client, settings: Any) -> None:
    path = path_of(LINK)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    assert stranger.post(path, ONE_CLICK).status_code == 200
    assert not wants()

    settings.SECRET_KEY_FALLBACKS = []
    assert stranger.get(path).status_code == 404


def test_an_old_mail_still_stops_its_news_but_shows_no_more_than_that(stranger: Client) -> None:
    old = f"/notifications/unsubscribe/{_of_long_ago('unsubscribe', LINK)}"
    old_choice = f"/notifications/preferences/{_of_long_ago('preferences', ALL)}"

    page = stranger.post(old, ONE_CLICK)

    assert not wants()
    assert "/notifications/preferences/" not in page.text
    assert "/notifications/preferences/" in stranger.get(path_of(LINK)).text
    response = stranger.get(old_choice)
    assert response.status_code == 410
    assert "too old" in response.text


def test_a_page_is_kept_framed_and_indexed_by_nobody_and_runs_nothing(stranger: Client) -> None:
    for path in (path_of(LINK), path_of(ALL), "/notifications/unsubscribe/x"):
        response = stranger.get(path)
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex, nofollow"
        assert "<script" not in response.text
        assert not response.cookies
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        assert f'<style nonce="{nonce}">' in response.text


def test_a_page_speaks_as_the_message_did_or_else_as_the_browser(
    stranger: Client, settings: Any
) -> None:
    german = stranger.get(path_of(Link(ANN.reference, "news", "email", locale="de-AT"))).text
    assert '<html lang="de">' in german
    assert "Abmelden" in german
    french = stranger.get(path_of(Link(ANN.reference, "news", "email", locale="fr"))).text
    assert '<html lang="en">' in french  # which is what it speaks

    nobodys = path_of(Link(ANN.reference, "news", "email"))
    assert "Abmelden" in stranger.get(nobodys, headers={"Accept-Language": "de"}).text
    wrong = stranger.get("/notifications/unsubscribe/x", headers={"Accept-Language": "de"})
    assert "Dieser Link funktioniert nicht" in wrong.text


def test_what_is_over_or_has_become_transactional_is_said(stranger: Client, settings: Any) -> None:
    over = stranger.post(path_of(Link(ANN.reference, "weather", "email")), ONE_CLICK)
    assert over.status_code == 410
    assert "We do not send this kind of news any more" in over.text

    fixed = stranger.post(path_of(Link(ANN.reference, "service", "email")), ONE_CLICK)
    assert fixed.status_code == 200
    assert "This cannot be stopped" in fixed.text
    assert not Consent.objects.exists()


def test_all_preferences_are_shown_and_those_that_are_fixed_say_why(stranger: Client) -> None:
    set_preference(
        person=ANN.reference, category="news", channel="sms", wanted=False, source="operator"
    )

    page = stranger.get(path_of(ALL)).text

    boxes = dict(re.findall(r'name="wanted" value="(\w+:\w+)"( checked)?', page))
    assert {name: bool(ticked) for name, ticked in boxes.items()} == {
        "service:email": True,
        "service:sms": True,
        "news:email": True,
        "news:sms": False,
    }
    (fixed,) = re.findall(r"<fieldset disabled.*?</fieldset>", page, re.S)
    assert "service:email" in fixed
    assert "Always told: it is about an order of your own." in fixed
    assert "news:" not in fixed


def test_what_the_form_changes_is_what_differs_of_what_it_showed(stranger: Client) -> None:
    shown = ["news:email", "news:sms", "service:email", "weather:email"]

    page = stranger.post(path_of(ALL), {"shown": shown, "wanted": ["news:sms", "weather:email"]})

    assert "Your choice is saved." in page.text
    assert not wants("email")
    assert wants("sms")
    changed = Consent.objects.get()  # sms was wanted before, service is fixed, weather is none
    assert (changed.category, changed.channel, changed.source) == ("news", "email", "page")

    stranger.post(path_of(ALL), {"shown": ["news:sms"], "wanted": []})
    assert not wants("sms")
    stranger.post(path_of(ALL), {"shown": [], "wanted": ["news:email"]})
    assert not wants("email")  # what was not shown was not spoken of


def test_a_title_of_the_shops_is_no_html(stranger: Client, settings: Any) -> None:
    title = '<b>News</b> & "offers"'
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "CATEGORIES": {"news": Category(title)},
        "PUBLIC_NAME": "<i>shop</i>",
    }
    for link in (LINK, ALL):
        page = stranger.get(path_of(link)).text
        assert escape(title) in page
        assert title not in page
        assert "<i>" not in page
