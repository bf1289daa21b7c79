"""What is sealed is read with its key alone, and says what it lacks."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications.exceptions import Unreadable
from notifications.sealed import seal, unseal


@pytest.fixture
def keys(settings):
    def keys(**versions: str) -> None:
        by_version = {int(name[1:]): secret for name, secret in versions.items()}
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ENCRYPTION_KEYS": by_version}

    keys(v1="the first secret")
    return keys


@pytest.mark.parametrize("text", ["ada@example.org", "+4915112345678", "größer 📦", "x" * 5000])
def test_what_is_sealed_is_read_again_and_shows_nothing(keys, text):
    sealed = seal(text)

    assert unseal(sealed) == text
    assert text not in sealed


def test_nothing_stays_nothing(keys):
    assert seal("") == unseal("") == ""


def test_twice_the_same_does_not_look_alike(keys):
    assert seal("ada@example.org") != seal("ada@example.org")


def test_the_highest_version_writes_and_all_of_them_read(keys):
    old = seal("ada@example.org")
    keys(v1="the first secret", v2="the second secret")

    assert seal("ada@example.org").startswith("sealed:2:")
    assert unseal(old) == "ada@example.org"


def test_a_text_from_before_there_were_keys_is_read_as_it_is(keys):
    assert unseal("ada@example.org") == "ada@example.org"


def test_without_its_key_it_is_unreadable_and_the_key_is_named(keys):
    sealed = seal("ada@example.org")
    keys(v2="the second secret")

    with pytest.raises(Unreadable, match="sealed by key 1"):
        unseal(sealed)


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed[:-6] + ("AAAAAA" if sealed[-6:] != "AAAAAA" else "BBBBBB"),
        lambda sealed: sealed[:20],
        lambda sealed: sealed + "AAAA",
        lambda sealed: "sealed:one:" + sealed,
    ],
)
def test_what_was_changed_is_unreadable(keys, change):
    with pytest.raises(Unreadable):
        unseal(change(seal("ada@example.org" * 3)))


def test_a_changed_secret_opens_nothing(keys):
    sealed = seal("ada@example.org")
    keys(v1="another secret")

    with pytest.raises(Unreadable, match="was changed"):
        unseal(sealed)


@pytest.mark.parametrize("versions", [{}, {"v1": ""}])
def test_without_a_key_nothing_is_sealed(keys, versions):
    keys(**versions)

    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        seal("ada@example.org")
