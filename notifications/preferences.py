"""Preferences: what people want to hear, per category and channel, and how they came to say so.

A category is the shop's (`NOTIFICATIONS["CATEGORIES"]`). What is transactional a person must be
told; nobody can opt out of it here. Everything that changes is on record as a Consent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit, events
from notifications.conf import Category, conf
from notifications.models import Consent, Preference
from notifications.models.consent import MOST_NAME, MOST_TEXT
from notifications.redaction import redact
from notifications.texts import fit

Source = Consent.Source

TO_NOBODY = frozenset({"webhook"})
"""Channels to machines: no person chooses them."""


class CannotOptOut(Exception):
    """The category is transactional: a receipt, or what happens to somebody's own order."""

    def __init__(self, category: str) -> None:
        super().__init__(
            gettext("%(category)s is transactional: a person must be told, and cannot opt out")
            % {"category": category}
        )


class UnknownCategory(ImproperlyConfigured):
    """The shop has no such category, or none any more."""

    def __init__(self, category: str) -> None:
        known = ", ".join(sorted(conf().categories))
        super().__init__(
            gettext("No category is named %(category)r; there are: %(known)s.")
            % {"category": category, "known": known}
        )


@dataclass(frozen=True)
class Choice:
    """One line of what a person may choose. said: what they have said, None if nothing."""

    category: str
    channel: str
    said: bool | None = None

    @property
    def kind(self) -> Category:
        return category_of(self.category)

    @property
    def wanted(self) -> bool:
        return applies(self.kind, self.said)


def set_preference(
    *,
    person: str,
    category: str,
    channel: str,
    wanted: bool,
    source: Source | str,
    by: str = "",
    proof: str = "",
    reason: str = "",
) -> bool:
    """Whether `person` wants news of `category` over `channel` from now on, with the record of it.

    by: who, if not the person. proof: what it came from (a delivery's id, say); never an address.
    False when they had said just that: nothing is written then. Raises CannotOptOut for a
    transactional category, and UnknownCategory.
    """
    if category_of(category).transactional:
        raise CannotOptOut(category)
    using = router.db_for_write(Preference)
    with transaction.atomic(using=using):
        every = Preference.objects.using(using)
        mine = every.filter(person=person, category=category, channel=channel)
        by_staff = source == Source.OPERATOR
        before = mine.values_list("wanted", flat=True).first() if by_staff else None
        changed = every.say(
            person=person,
            category=category,
            channel=channel,
            wanted=wanted,
            source=Source(source).value,
            by=fit(by, MOST_NAME),
            proof=fit(proof, MOST_TEXT),
            reason=fit(redact(reason), MOST_TEXT),
        )
        if changed and by_staff:
            what = {"category": category, "channel": channel}
            audit.record(
                "preference.set",
                by=by,
                reason=reason,
                target=audit.Person(person),
                before={**what, "wanted": before},
                after={**what, "wanted": wanted},
            )
    return changed


def wanted(person: str, category: str, channel: str) -> bool:
    """Whether `person` wants it: as they said, else by the category's own rule. One statement, and
    not to a replica: a page that has just stopped something must not say that it goes on."""
    kind = category_of(category)
    if kind.transactional:
        return True
    every = Preference.objects.using(router.db_for_write(Preference))
    rows = every.filter(person=person, category=category, channel=channel)
    return applies(kind, rows.values_list("wanted", flat=True).first())


def applies(kind: Category, said: bool | None) -> bool:
    """What holds of a category for who has said so. What is opt-in nobody wants unasked."""
    if kind.transactional:
        return True
    return not kind.opt_in if said is None else said


def category_of(name: str) -> Category:
    """The category of this name, or UnknownCategory."""
    try:
        return conf().categories[name]
    except KeyError:
        raise UnknownCategory(name) from None


def choices(person: str) -> list[Choice]:
    """Everything that the shop may tell `person`: by category, then by channel. One statement."""
    rows = Preference.objects.using(router.db_for_write(Preference)).filter(person=person)
    said = {(row.category, row.channel): row.wanted for row in rows}
    return [Choice(*pair, said=said.get(pair)) for pair in pairs()]


def pairs() -> list[tuple[str, str]]:
    """The categories with the channels that their events are told over, in the shop's order."""
    told = set(_told())
    return [(name, channel) for name in conf().categories for channel in _ordered(name, told)]


def _told() -> Iterable[tuple[str, str]]:
    routes = conf().routes
    for kind in events.all_event_types():
        for route in routes.get(kind.name, ()):
            if route.channel not in TO_NOBODY:
                yield kind.category, route.channel


def _ordered(category: str, told: set[tuple[str, str]]) -> list[str]:
    return [channel for channel in conf().channels if (category, channel) in told]
