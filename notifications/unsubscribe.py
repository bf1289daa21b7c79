"""Unsubscribe links: what a person holds in a mail to stop more of its kind. No login, no address.

A link is a signed token. It names the person's reference, a category and a channel, and can do one
thing: say for this person whether they want that. It never ends, for a mail of ten years ago must
still stop what it began. The link to all preferences, which says more, ends with LINK_DAYS.
Tokens are signed with SECRET_KEY; SECRET_KEY_FALLBACKS keep the links of old mails alive when it
is changed.

The header pair is that of RFC 8058: a mail program's own button posts to the link, without a
person or a page. RFC 2369 is the header by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.signals import setting_changed
from django.urls import reverse

from notifications import preferences
from notifications.conf import conf
from notifications.events import EventType
from notifications.recipients import Recipient

LINK_DAYS = 365
"""For how long the link to all preferences works."""

ONE_CLICK = "List-Unsubscribe=One-Click"
"""The body of the POST, and the value of the header that asks for it: RFC 8058, section 8."""

NAMESPACE = "notifications"


class WrongLink(Exception):
    """It was not made here, was altered, or lost a part on its way."""


class OldLink(WrongLink):
    """It was good once."""


@dataclass(frozen=True)
class Link:
    """Stops `category` over `channel` for `person`. delivery: what it came with; locale: whose
    words its page speaks."""

    person: str
    category: str
    channel: str
    delivery: str = ""
    locale: str = ""

    @property
    def token(self) -> str:
        return _signer("unsubscribe").sign_object(list(astuple(self)))

    @property
    def url(self) -> str:
        return _public("unsubscribe", self.token)

    @property
    def choice(self) -> PreferenceLink:
        return PreferenceLink(self.person, self.delivery, self.locale)


@dataclass(frozen=True)
class PreferenceLink:
    """Shows and changes everything that `person` may choose."""

    person: str
    delivery: str = ""
    locale: str = ""

    @property
    def token(self) -> str:
        return _signer("preferences").sign_object(list(astuple(self)))

    @property
    def url(self) -> str:
        return _public("preferences", self.token)


@dataclass(frozen=True)
class Offer:
    """What one message offers its reader. headers: of an email; words: what templates may use."""

    headers: Mapping[str, str]
    words: Mapping[str, Any]


def offer(kind: EventType, recipient: Recipient, *, channel: str, delivery: UUID | str) -> Offer:
    """The way out of more messages like this one, to this recipient over this channel.

    Templates get `unsubscribe_url`: the link that stops this category; of what is transactional,
    and cannot be stopped, the link to all preferences. Empty without PUBLIC_URL.
    """
    link = Link(recipient.who, kind.category, channel, str(delivery), recipient.locale)
    if not conf().public_url:
        return Offer({}, {"unsubscribe_url": "", "preferences_url": ""})
    choose = link.choice.url
    if preferences.category_of(kind.category).transactional:
        return Offer({}, {"unsubscribe_url": choose, "preferences_url": choose})
    url = link.url
    words = {"unsubscribe_url": url, "preferences_url": choose}
    return Offer(_headers(url) if channel == "email" else {}, words)


def read(token: str) -> Link:
    """The link of this token. Raises WrongLink."""
    return Link(*_texts(_unsign("unsubscribe", token), len(fields(Link))))


def read_preferences(token: str) -> PreferenceLink:
    """The link of this token. Raises WrongLink, or OldLink after LINK_DAYS."""
    value = _unsign("preferences", token, max_age=timedelta(days=LINK_DAYS))
    return PreferenceLink(*_texts(value, len(fields(PreferenceLink))))


def is_young(token: str) -> bool:
    """Whether an unsubscribe link is young enough to lead to all preferences."""
    try:
        _unsign("unsubscribe", token, max_age=timedelta(days=LINK_DAYS))
    except WrongLink:
        return False
    return True


def _headers(url: str) -> dict[str, str]:
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": ONE_CLICK}


def _public(name: str, token: str) -> str:
    return f"{conf().public_url}{_path(name)}{token}"


@cache
def _path(name: str) -> str:
    """The path of such a link up to its token, which needs no quoting."""
    return reverse(f"{NAMESPACE}:{name}", args=["_"]).removesuffix("_")


def _signer(purpose: str) -> signing.TimestampSigner:
    """A token for one purpose is none for another. A dot, because a mail program may take a link
    to end at a colon."""
    return signing.TimestampSigner(sep=".", salt=f"notifications.{purpose}")


def _unsign(purpose: str, token: str, max_age: timedelta | None = None) -> Any:
    try:
        return _signer(purpose).unsign_object(token, max_age=max_age)
    except signing.SignatureExpired:
        raise OldLink from None
    except (signing.BadSignature, ValueError):
        raise WrongLink from None


def _texts(value: Any, number: int) -> list[str]:
    """Signed by us, but perhaps by a version of us that put other things in."""
    if not isinstance(value, list) or len(value) != number or not all(map(_is_text, value)):
        raise WrongLink
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "ROOT_URLCONF":
        _path.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.unsubscribe")
