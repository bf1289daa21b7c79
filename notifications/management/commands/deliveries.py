"""`manage.py deliveries`: look deliveries up, and put right what one of them is about."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet

from notifications import (
    audit,
    delivery_discards,
    edited_resend,
    edits,
    known,
    resend,
    suppressions,
    undertakings,
    unknowns,
)
from notifications.management import delivery_text
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    add_who,
    listing,
    local_moment,
    read_by,
    up_to,
    whoever,
)
from notifications.models import Delivery, Pause, wait
from notifications.redaction import redact
from notifications.unknowns import Answer

LIMIT, MOST = 50, 1000

Row = dict[str, Any]


class Command(VerbCommand):
    help = (
        "List deliveries, newest first; show what happened to one; settle unknown ones as you "
        "found them at the provider; discard what is not to be told any more; edit the facts that "
        "one is told, and resend it; suppress its address. Addresses are masked, but for "
        "`reveal`. Without a verb, the newest."
    )
    verbs = ("list", "show", "reveal", "settle", "discard", "edit", "suppress")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="deliveries, newest first")
        wanted.add_argument("--state", choices=Delivery.State.values, help="in this state")
        text = read_by(undertakings.text)
        wanted.add_argument("--channel", type=text, help="over this channel")
        wanted.add_argument("--subject", type=text, help='about this: "order/1"')
        wanted.add_argument(
            "--limit", type=up_to(MOST), default=LIMIT, help=f"at most {MOST} (%(default)s)"
        )
        wanted.add_argument(
            "--after", type=_delivery_id, help="go on after the delivery of this id"
        )
        show = listing(verbs, "show", help="what happened to one, in order of time")
        show.add_argument("id", type=_delivery_id, help="a delivery's id, or a tag")
        show.add_argument(
            "--words",
            action="store_true",
            help="also what was said, and what would be different now; that you saw it is audited",
        )
        add_who(show, reason="why you look; kept with --words")
        shown = listing(verbs, "reveal", help="the address it was last sent to; it is audited")
        shown.add_argument("id", type=_delivery_id, help="a delivery's id, or a tag")
        add_who(shown, reason="why; it is kept")
        settle = verbs.add_parser("settle", help="say what became of unknown ones")
        settle.add_argument("id", nargs="*", type=_delivery_id, help="a delivery's id, or a tag")
        settle.add_argument(
            "--fingerprint", help="all that are unknown for this one cause (manage.py failures)"
        )
        settle.add_argument("--channel", type=text, help="of them, those of one channel")
        settle.add_argument(
            "--as",
            dest="state",
            required=True,
            choices=[state.value for state in unknowns.SETTLED_AS],
        )
        add_changing(settle, reason="how you know; it is kept")
        discard = verbs.add_parser(
            "discard", help="what waits, is tried again, is unknown or failed is told no more"
        )
        discard.add_argument("id", nargs="+", type=_delivery_id, help="a delivery's id, or a tag")
        add_changing(discard, reason="why; it is kept")
        edit = verbs.add_parser(
            "edit", help="put facts of its event right for this one alone, and resend it"
        )
        edit.add_argument("id", type=_delivery_id, help="a delivery's id, or a tag")
        edit.add_argument(
            "--set",
            dest="facts",
            metavar="FIELD=TEXT",
            action="append",
            required=True,
            type=_fact,
            help='one that NOTIFICATIONS["EDITABLE"] names; more with another --set',
        )
        edit.add_argument(
            "--confirm",
            default="",
            help='what it is about ("order/1"), to change what is sensitive',
        )
        edit.add_argument("--override", action="store_true", help="although it is no longer true")
        add_changing(edit, reason="why; it is kept")
        suppress = verbs.add_parser("suppress", help="send nothing more to the address of this one")
        suppress.add_argument("id", type=_delivery_id, help="a delivery's id, or a tag")
        add_who(suppress, reason="why; it is kept", needed=True)

    def do(self, verb: str, **options: Any) -> None:
        match verb:
            case "settle":
                self._settle(**options)
            case "reveal":
                self._reveal(**options)
            case "discard":
                self._discard(**options)
            case "show":
                self._show(**options)
            case "edit":
                self._edit(**options)
            case "suppress":
                self._suppress(**options)
            case _:
                self._list(**options)

    def _list(self, *, limit: int = LIMIT, after: UUID | None = None, **options: Any) -> None:
        filters = {name: options.get(name) for name in ("state", "channel", "subject")}
        wanted = {name: value for name, value in filters.items() if value}
        known.insist(Pause.Kind.CHANNEL, [options.get("channel")])
        found = list(_after(after, Delivery.objects.filter(**wanted))[: limit + 1])
        rows, following = found[:limit], str(found[limit - 1].pk) if len(found) > limit else None
        if options["json"]:
            listed = {"deliveries": [_row(delivery) for delivery in rows], "next": following}
            self.stdout.write(json.dumps(listed, cls=DjangoJSONEncoder))
            return
        for delivery in rows:
            self._print(delivery)
        if following:
            self.stdout.write(f"There are more: --after {following}")
        elif not rows:
            self.stdout.write("Nothing matches.")

    def _print(self, delivery: Delivery) -> None:
        self.stdout.write(
            f"{_tag(delivery)}  {delivery.state:<10}  {local_moment(delivery.updated_at)}  "
            f"{delivery.channel:<8}  {delivery.event_type} {delivery.subject}  "
            f"{delivery.recipient}  {delivery.masked_address}"
        )
        waits = wait.words(delivery.reason, delivery.next_try_at)
        if said := waits or delivery.last_error or delivery.reason:
            self.stdout.write(f"    {redact(said, address=delivery.address)}")

    def _reveal(self, *, id: UUID, by: str, reason: str | None, **options: Any) -> None:
        delivery = Delivery.objects.filter(pk=id).first()
        if delivery is None:
            raise CommandError(f"{id}: there is no such delivery.")
        audit.record(audit.REVEAL, by=whoever(by), target=delivery, reason=reason or "")
        if options["json"]:
            self.stdout.write(json.dumps({"id": str(id), "address": delivery.address}))
        else:
            self.stdout.write(delivery.address or "No address is kept.")

    def _settle(
        self,
        *,
        id: list[UUID],
        fingerprint: str | None,
        channel: str | None,
        state: str,
        by: str,
        reason: str,
        dry_run: bool,
        **_options: Any,
    ) -> None:
        if bool(id) == bool(fingerprint) or (channel and not fingerprint):
            raise CommandError("Say which: ids, or --fingerprint, maybe of one --channel.")
        if fingerprint:
            alike = Delivery.objects.filter(
                state=Delivery.State.UNKNOWN, next_try_at=None, fingerprint=fingerprint
            )
            if channel:
                known.insist(Pause.Kind.CHANNEL, [channel])
                alike = alike.filter(channel=channel)
            id = list(alike.order_by("created_at").values_list("pk", flat=True))
            if not id:
                raise CommandError("Nothing was done: none is unknown for that cause.")
        answers = unknowns.settle(
            id, Delivery.State(state), by=whoever(by), reason=reason, dry_run=dry_run
        )
        self._answer(answers, state, dry_run)

    def _discard(
        self, *, id: list[UUID], by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        answers = delivery_discards.discard(id, by=whoever(by), reason=reason, dry_run=dry_run)
        self._answer(answers, Delivery.State.DISCARDED, dry_run)

    def _show(
        self, *, id: UUID, words: bool, by: str, reason: str | None, json: bool, **_: Any
    ) -> None:
        delivery = _existing(id)
        if words:
            audit.record(
                "personal_data.reveal", by=whoever(by), reason=reason or "", target=delivery
            )
        if json:
            self.stdout.write(delivery_text.as_json(delivery, _row(delivery), words=words))
            return
        self._print(delivery)
        for line in delivery_text.lines(delivery, words=words):
            self.stdout.write(line)

    def _edit(
        self,
        *,
        id: UUID,
        facts: list[tuple[str, str]],
        confirm: str,
        override: bool,
        by: str,
        reason: str,
        dry_run: bool,
        **_: Any,
    ) -> None:
        delivery, typed = _existing(id), dict(facts)
        try:
            if why := edited_resend.why_not(delivery):
                raise CommandError(f"Nothing was done: {why}.")
            if dry_run:
                edited = edits.edit(delivery.event, delivery, typed, confirm=confirm)
                why = resend.objection(
                    delivery, override=override, work=edited_resend.EditedResend(edited)
                )
                self.stdout.write(f"It would be refused: {why}." if why else "It would be resent.")
                self.stdout.write("Nothing was done.")
                return
            why = edited_resend.edit_and_resend(
                delivery, typed, by=whoever(by), reason=reason, confirm=confirm, override=override
            )
        except edits.Wrong as wrong:
            raise CommandError(f"Nothing was done: {wrong}.") from None
        if why:
            raise CommandError(f"Nothing was done: {why}.")
        self.stdout.write(f"{delivery.pk}  is resent with {', '.join(typed)}")

    def _suppress(self, *, id: UUID, by: str, reason: str, **_: Any) -> None:
        delivery = _existing(id)
        if not delivery.address_hash:
            raise CommandError("Nothing was done: it was sent nowhere.")
        added = suppressions.suppress_address_of(delivery, by=whoever(by), note=reason)
        self.stdout.write("It is suppressed." if added else "It was suppressed already.")

    def _answer(self, answers: list[Answer], state: str, dry_run: bool) -> None:
        for answer in answers:
            if not answer.why_not:
                done = "would be noted as" if dry_run else "is now"
                self.stdout.write(f"{answer.delivery_id}  {answer.was}, {done} {state}")
            else:
                said = ", ".join(part for part in (answer.was, answer.why_not) if part)
                self.stdout.write(self.style.WARNING(f"{answer.delivery_id}  left alone: {said}"))
        if dry_run:
            self.stdout.write("Nothing was done.")
        if any(answer.why_not for answer in answers):
            sys.exit(1)


def _after(delivery_id: UUID | None, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Newest first, from where the last page ended: no row before it is read again."""
    ordered = found.order_by("-created_at", "-pk")
    if delivery_id is None:
        return ordered
    last = Delivery.objects.filter(pk=delivery_id).values_list("created_at", flat=True).first()
    if last is None:
        raise CommandError(f"--after {delivery_id}: there is no such delivery.")
    beyond = Q(created_at__lt=last) | Q(created_at=last, pk__lt=delivery_id)
    return ordered.filter(beyond, created_at__lte=last)


def _tag(delivery: Delivery) -> str:
    """By which the provider knows the latest attempt."""
    return f"{delivery.pk}.{delivery.generation}.{delivery.attempts}"


def _row(delivery: Delivery) -> Row:
    return {
        "id": delivery.pk,
        "tag": _tag(delivery),
        "state": delivery.state,
        "reason": delivery.reason,
        "last_error": delivery.last_error,
        "channel": delivery.channel,
        "event_type": delivery.event_type,
        "subject": delivery.subject,
        "recipient": delivery.recipient,
        "address": delivery.masked_address,
        "generation": delivery.generation,
        "attempts": delivery.attempts,
        "provider": delivery.provider,
        "provider_message_id": delivery.provider_message_id,
        "created_at": delivery.created_at,
        "next_try_at": delivery.next_try_at,
        "finished_at": delivery.finished_at,
    }


def _delivery_id(text: str) -> UUID:
    """From an id, or from the tag of one of its attempts."""
    try:
        return UUID(text.partition(".")[0])
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no delivery's id") from None


def _existing(delivery_id: UUID) -> Delivery:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery is None:
        raise CommandError(f"There is no delivery {delivery_id}.")
    return delivery


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ArgumentTypeError(f"{text[:40]!r} is no FIELD=TEXT")
    return name, value
