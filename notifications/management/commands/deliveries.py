"""`manage.py deliveries`: look deliveries up, and settle those whose outcome nobody knows."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from getpass import getuser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet

from notifications import unknowns
from notifications.management.verbs import VerbCommand, add_changing, listing
from notifications.models import Delivery, wait

LIMIT, MOST = 50, 1000

Row = dict[str, Any]


class Command(VerbCommand):
    help = (
        "List deliveries, newest first, or settle unknown ones as you found them at the "
        "provider. Addresses are masked. Without a verb, the newest."
    )
    verbs = ("list", "settle")

    def add_verbs(self, verbs: Any) -> None:
        wanted = listing(verbs, help="deliveries, newest first")
        wanted.add_argument("--state", choices=Delivery.State.values, help="in this state")
        wanted.add_argument("--channel", help="over this channel")
        wanted.add_argument("--subject", help='about this: "order/1"')
        wanted.add_argument(
            "--limit", type=_limit, default=LIMIT, help=f"at most {MOST} (%(default)s)"
        )
        wanted.add_argument(
            "--after", type=_delivery_id, help="go on after the delivery of this id"
        )
        settle = verbs.add_parser("settle", help="say what became of unknown ones")
        settle.add_argument("id", nargs="+", type=_delivery_id, help="a delivery's id, or a tag")
        settle.add_argument(
            "--as",
            dest="state",
            required=True,
            choices=[state.value for state in unknowns.SETTLED_AS],
        )
        add_changing(settle, reason="how you know; it is kept")

    def do(self, verb: str, **options: Any) -> None:
        if verb == "settle":
            self._settle(**options)
        else:
            self._list(**options)

    def _list(self, *, limit: int = LIMIT, after: UUID | None = None, **options: Any) -> None:
        filters = {name: options.get(name) for name in ("state", "channel", "subject")}
        wanted = {name: value for name, value in filters.items() if value}
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
            f"{delivery.pk}  {delivery.state:<10}  {delivery.channel:<8}  {delivery.event_type} "
            f"{delivery.subject}  {delivery.recipient}  {delivery.masked_address}"
        )
        waits = wait.words(delivery.reason, delivery.next_try_at)
        if said := waits or delivery.last_error or delivery.reason:
            self.stdout.write(f"    {said}")

    def _settle(
        self, *, id: list[UUID], state: str, by: str, reason: str, dry_run: bool, **_options: Any
    ) -> None:
        answers = unknowns.settle(
            id, Delivery.State(state), by=by or getuser(), reason=reason, dry_run=dry_run
        )
        for answer in answers:
            if not answer.why_not:
                done = "would be" if dry_run else "is now"
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


def _row(delivery: Delivery) -> Row:
    return {
        "id": delivery.pk,
        "tag": f"{delivery.pk}.{delivery.generation}.{delivery.attempts}",
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


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)
