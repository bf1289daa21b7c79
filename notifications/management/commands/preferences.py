"""`manage.py preferences PERSON`: what somebody wants to hear, since when, and how they said so."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import router, transaction

from notifications import preferences
from notifications.conf import conf
from notifications.management.verbs import (
    ChangingCommand,
    add_changing,
    local_moment,
    plain_refusals,
    reference_text,
    whoever,
)
from notifications.models import Consent, Preference
from notifications.preferences import CannotOptOut, Choice, Source

MOST = 1000
"""Changes of mind that are listed."""

Wish = tuple[str, str, bool]


class Command(ChangingCommand):
    help = (
        "What a person wants to be told, by category and channel; set it for them, and it is on "
        "record who did, and why. What is transactional cannot be opted out of."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "person",
            type=reference_text,
            help='the reference, as the shop names them: "customer/42"',
        )
        parser.add_argument(
            "--set",
            dest="wishes",
            action="append",
            type=_wish,
            default=[],
            metavar="CATEGORY:CHANNEL=yes|no",
            help="from now on; any number of them",
        )
        parser.add_argument("--history", action="store_true", help="with every change of mind")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        add_changing(parser, reason="why; it stands in the history", needed=False)

    @plain_refusals()
    def handle(self, *, person: str, wishes: list[Wish], **options: Any) -> None:
        if wishes and not options["reason"]:
            raise CommandError("Say why, as --reason: it stands in the history.")
        try:
            changed = self._set(person, wishes, **options) if wishes else 0
        except (CannotOptOut, ImproperlyConfigured) as error:
            raise CommandError(f"Nothing was done: {error}") from None
        self._show(person, changed if wishes else None, **options)

    def _set(
        self, person: str, wishes: list[Wish], *, by: str, reason: str, dry_run: bool, **_: Any
    ) -> int:
        """All of them or none; in one order for everybody, lest two wait for each other."""
        using = router.db_for_write(Preference)
        with transaction.atomic(using=using):
            changed = 0
            for category, channel, wanted in sorted(wishes):
                changed += preferences.set_preference(
                    person=person,
                    category=category,
                    channel=channel,
                    wanted=wanted,
                    source=Source.OPERATOR,
                    by=whoever(by),
                    reason=reason,
                )
            transaction.set_rollback(dry_run, using=using)
        return changed

    def _show(
        self,
        person: str,
        changed: int | None,
        *,
        history: bool,
        json: bool,
        dry_run: bool,
        **_: Any,
    ) -> None:
        found = preferences.choices(person)
        said = Consent.objects.filter(person=person).order_by("-id")[:MOST] if history else ()
        if json:
            self._json(person, found, said, changed, dry_run=dry_run)
            return
        for choice in found:
            self.stdout.write(f"  {_words(choice)}")
        for consent in said:
            self.stdout.write(_line(consent))
        if changed is not None:
            verb = "would be changed; nothing was done" if dry_run else "changed"
            self.stdout.write(f"{changed} {verb}")

    def _json(
        self,
        person: str,
        found: Iterable[Choice],
        said: Iterable[Consent],
        changed: int | None,
        *,
        dry_run: bool,
    ) -> None:
        value: dict[str, Any] = {
            "person": person,
            "preferences": [_choice(each) for each in found],
            "history": [_consent(each) for each in said],
        }
        if changed is not None:
            value |= {"changed": changed, "dry_run": dry_run}
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder))


def _wish(text: str) -> Wish:
    what, equals, answer = text.partition("=")
    category, colon, channel = what.partition(":")
    if not (equals and colon and answer in ("yes", "no")):
        raise ArgumentTypeError(f"{text!r}: give a category, a channel and yes or no: news:sms=no")
    if channel not in conf().channels:
        raise ArgumentTypeError(
            f"{channel!r} is no channel; there are: {', '.join(conf().channels) or 'none'}"
        )
    return category, channel, answer == "yes"


def _words(choice: Choice) -> str:
    what = f"{choice.category} by {choice.channel}"
    if choice.kind.transactional:
        return f"yes  {what}  always: it is transactional"
    how = "never said so" if choice.said is None else "said so"
    return f"{'yes' if choice.wanted else 'no ':<3}  {what}  {how}"


def _line(consent: Consent) -> str:
    by = f" by {consent.by}" if consent.by else ""
    more = ": ".join(filter(None, [consent.proof, consent.reason]))
    wanted = "yes" if consent.wanted else "no"
    return (
        f"{local_moment(consent.at)}  {wanted:<3}  {consent.what}  "
        f"{consent.get_source_display()}{by}{f': {more}' if more else ''}"
    )


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "category": choice.category,
        "channel": choice.channel,
        "wanted": choice.wanted,
        "said": choice.said,
        "transactional": choice.kind.transactional,
    }


def _consent(consent: Consent) -> dict[str, Any]:
    return {
        "at": consent.at,
        "category": consent.category,
        "channel": consent.channel,
        "wanted": consent.wanted,
        "source": consent.source,
        "by": consent.by,
        "proof": consent.proof,
        "reason": consent.reason,
    }
