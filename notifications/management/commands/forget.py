"""`manage.py forget PERSON`: erase a person, or confirm what was once sent to them."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from notifications import erasure
from notifications.conf import conf
from notifications.management.verbs import (
    ChangingCommand,
    add_changing,
    local_moment,
    plain_refusals,
    reference_text,
    whoever,
)


class Command(ChangingCommand):
    help = (
        "Erase a person from deliveries, attempts, receipts, dead letters and failed tasks, and, "
        "by NOTIFICATIONS['FORGET'], from the shop's own tables. When they were told of what "
        "stays, with a proof that confirms an address to whoever can name it (--prove)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "person",
            type=reference_text,
            help='the reference, as the shop names them: "customer/42"',
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--prove", metavar="ADDRESS", default="", help="only list what was sent to ADDRESS"
        )
        parser.add_argument(
            "--address",
            metavar="ADDRESS",
            action="append",
            default=[],
            help="also what holds this address of theirs: a dead letter that came since they were "
            "forgotten, or was sent to where they were reached long ago. May be repeated",
        )
        parser.add_argument(
            "--all-below",
            action="store_true",
            help="also where nobody is named just so, and what begins so may be several people's",
        )
        add_changing(parser, reason="why; it stands on the record", needed=False)

    @plain_refusals()
    def handle(self, *, person: str, prove: str, dry_run: bool, **options: Any) -> None:
        if prove:
            self._prove(person, prove, as_json=options["json"])
            return
        if not (dry_run or options["reason"]):
            raise CommandError("Say why, as --reason: it stands on the record.")
        try:
            if dry_run:
                erased = erasure.would_forget(person, all_below=options["all_below"])
            else:
                by = whoever(options["by"])
                erased = erasure.forget(
                    person=person,
                    by=by,
                    reason=options["reason"],
                    all_below=options["all_below"],
                    reached_at=options["address"],
                )
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except erasure.SeveralPeople as error:
            raise CommandError(f"Nothing was done: {error} (--all-below).") from None
        self._say(person, erased, dry_run=dry_run, as_json=options["json"])

    def _say(self, person: str, erased: erasure.Erased, *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            found = {
                "person": person,
                "erased": erased.counts,
                "under_way": erased.under_way,
                "waiting": erased.waiting,
            }
            self.stdout.write(json.dumps({**found, "dry_run": dry_run}))
        else:
            for kind, rows in erased.counts.items():
                self.stdout.write(f"  {kind}: {rows}")
            if not any(erased.counts.values()):
                self.stdout.write(f"Nothing was kept of {person}: is this their reference?")
            done = "Nothing was done." if dry_run else f"{person} is forgotten."
            self.stdout.write(done)
            if not conf().forget:
                self.stdout.write(
                    'The shop\'s own tables were not asked: NOTIFICATIONS["FORGET"] is not set.'
                )
        if not dry_run and (left := _left(erased)):
            raise CommandError(" ".join(left))

    def _prove(self, person: str, address: str, *, as_json: bool) -> None:
        rows = [
            {
                "delivery": str(each.pk),
                "event_type": each.event_type,
                "subject": each.subject,
                "channel": each.channel,
                "sent_at": local_moment(each.sent_at),
                "provider": each.provider,
                "provider_message_id": each.provider_message_id,
            }
            for each in erasure.proven(person, address)
            if each.sent_at
        ]
        if as_json:
            self.stdout.write(json.dumps({"person": person, "sent": rows}))
            return
        for row in rows:
            self.stdout.write(
                f"  {row['sent_at']}  {row['event_type']}  {row['subject']}  by {row['channel']}  "
                f"{row['provider']} {row['provider_message_id']}"
            )
        self.stdout.write(f"{len(rows)} sent to this address.")


def _left(erased: erasure.Erased) -> list[str]:
    """What could not be erased yet, and how it will be."""
    left = []
    if erased.under_way:
        left.append(
            f"{erased.under_way} of their deliveries are being sent at this moment and were "
            "left to their sender: run it once more in a minute."
        )
    if erased.waiting:
        left.append(
            f"{erased.waiting} messages that hold an address of theirs wait in the outbox: run it "
            "once more when they are published, and name the address (--address)."
        )
    return left
