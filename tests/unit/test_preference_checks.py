"""The checks of categories, and of the way out that news must offer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifications.checks.preferences import check_categories, check_way_out
from notifications.conf import Category, Route
from tests import news


@pytest.fixture
def club(settings: Any, tmp_path: Path) -> Iterator[Any]:
    """`club(PUBLIC_URL=…)`: what is wrong with the settings, with these keys changed."""
    with news.declared(settings, tmp_path):
        told = settings.NOTIFICATIONS

        def found(**changed: Any) -> list[str]:
            settings.NOTIFICATIONS = {**told, **changed}
            messages = [*check_categories(), *check_way_out()]
            assert all(message.hint for message in messages)
            return [f"{message.id}: {message.msg}" for message in messages]

        yield found


def test_news_with_a_way_out_has_nothing_to_mend(club: Any) -> None:
    assert club() == []


def test_a_category_that_nobody_declared_is_found(club: Any) -> None:
    (found, _of_the_shop) = club(CATEGORIES={})
    assert found.startswith("notifications.E044: club.news v1 is of the category 'news'")


@pytest.mark.parametrize(
    "categories",
    [
        {"news": Category("News", transactional=True, opt_in=True)},
        {"news": Category("News"), "a:b": Category("Colon")},
        {"news": Category("News"), "n" * 41: Category("Long")},
    ],
)
def test_a_category_that_cannot_be_is_found(club: Any, categories: Any) -> None:
    (found,) = club(CATEGORIES=categories)
    assert found.startswith("notifications.E045")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "news that go out by email, but"),
        ("shop.example", "'shop.example'"),
        ("http://shop.example", "over https only"),
        ("https://shop.example/?a=b", "over https only"),
        ("ftp://127.0.0.1", "over https only"),
    ],
)
def test_a_mail_without_a_link_that_works_is_found(club: Any, url: str, said: str) -> None:
    (found,) = club(PUBLIC_URL=url)
    assert found.startswith("notifications.E046")
    assert said in found


def test_what_is_transactional_or_no_mail_needs_no_way_out(club: Any) -> None:
    assert club(PUBLIC_URL="", ROUTES={news.NEWS: [Route("sms")]}) == []
    assert club(PUBLIC_URL="", CATEGORIES={"news": Category("News", transactional=True)}) == []
    assert club(PUBLIC_URL="http://127.0.0.1:8000/shop/") == []


def test_pages_that_nothing_leads_to_are_found(club: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    (found,) = club()
    assert found.startswith("notifications.E046")
    assert "nothing leads to the pages" in found
