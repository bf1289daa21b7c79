"""`manage.py api_clients`: who may use the order API, with which token and at which rate."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    overlap_hours,
    whoever,
)
from orders_site.api import clients, desk
from orders_site.api.exceptions import ClientRefused
from orders_site.api.models import DEFAULT_RATE, MAX_RATE, ApiClient

ONCE = "This is shown once; whoever has it can order."


class Command(VerbCommand):
    help = (
        "List the clients of the order API, make one, give one a new token, end its old one, let "
        "one announce to whole audiences or forbid it, or revoke one. "
        "Every web process obeys within seconds. Without a verb, the list."
    )
    verbs = ("list", "create", "rotate", "end-old", "allow", "forbid", "revoke")

    def add_verbs(self, verbs: Any) -> None:
        listing(verbs, help="every client, its rate and whether it is revoked")
        creating = verbs.add_parser("create", help="make a client and print its token, once")
        creating.add_argument("name", help="letters, digits, - and _; its orders bear it")
        creating.add_argument(
            "--rate",
            type=_rate,
            default=DEFAULT_RATE,
            metavar="REQUESTS",
            help=f"requests a minute ({DEFAULT_RATE})",
        )
        creating.add_argument(
            "--may-announce", action="store_true", help="it may send to whole audiences, too"
        )
        add_changing(creating)
        rotating = verbs.add_parser(
            "rotate", help="print a new token, once; the old one ends later"
        )
        rotating.add_argument("name")
        rotating.add_argument(
            "--overlap",
            type=overlap_hours,
            default=clients.OVERLAP,
            metavar="HOURS",
            help="for which the old one is good too (24); 0 when it was stolen",
        )
        add_changing(rotating)
        ending = verbs.add_parser("end-old", help="end the old token now: the client has the new")
        ending.add_argument("name")
        add_changing(ending)
        for verb, help in (
            ("allow", "let it send an event to a whole audience"),
            ("forbid", "let it do so no more"),
        ):
            allowing = verbs.add_parser(verb, help=help)
            allowing.add_argument("name")
            add_changing(allowing, reason="shown to whoever looks")
        revoking = verbs.add_parser("revoke", help="end a client's token for good")
        revoking.add_argument("name")
        add_changing(revoking, reason="shown to whoever looks")

    def do(self, verb: str, **options: Any) -> None:
        try:
            match verb:
                case "create":
                    self._create(**options)
                case "rotate":
                    self._rotate(**options)
                case "end-old":
                    self._end_old(**options)
                case "allow" | "forbid":
                    self._allow(allowed=verb == "allow", **options)
                case "revoke":
                    self._revoke(**options)
                case _:
                    self._list(as_json=options["json"])
        except ClientRefused as refusal:
            raise CommandError(str(refusal)) from None

    def _list(self, *, as_json: bool) -> None:
        found = list(ApiClient.objects.order_by("name"))
        if as_json:
            rows = [_as_json(client) for client in found]
            self.stdout.write(json.dumps({"clients": rows}, cls=DjangoJSONEncoder))
            return
        width = max((len(client.name) for client in found), default=0)
        for client in found:
            line = f"  {client.name:<{width}}  {_in_words(client)}"
            self.stdout.write(line if client.active else self.style.WARNING(line))

    def _create(
        self,
        *,
        name: str,
        rate: int,
        may_announce: bool,
        by: str,
        dry_run: bool,
        json: bool,
        **_options: Any,
    ) -> None:
        if dry_run:
            clients.check(ApiClient(name=name, rate_per_minute=rate))
            self.stdout.write(f"{name}, {rate} requests a minute; nothing was done")
            return
        _, token = desk.make_client(
            name=name, rate_per_minute=rate, may_announce=may_announce, by=whoever(by)
        )
        self._show(name, token, as_json=json)

    def _rotate(
        self,
        *,
        name: str,
        overlap: timedelta,
        by: str,
        dry_run: bool,
        json: bool,
        **_options: Any,
    ) -> None:
        old = f"the old one for {overlap.total_seconds() / 3600:g} h more"
        if clients.active(name).both_until:  # whoever has not taken the last one yet is refused
            old += "; the one before that ends at once"
        if dry_run:
            self.stdout.write(f"{name}: a new token, {old}; nothing was done")
            return
        token = desk.rotate_token(name=name, by=whoever(by), overlap=overlap)
        self._show(name, token, as_json=json)
        self.stderr.write(f"{name} may use {old}.")

    def _end_old(self, *, name: str, by: str, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            clients.with_old_token(name)
            self.stdout.write(f"{name}: its old token ended; nothing was done")
            return
        desk.end_old_token(name=name, by=whoever(by))
        self.stdout.write(f"{name}: its old token ended")

    def _allow(
        self, *, name: str, allowed: bool, reason: str, by: str, dry_run: bool, **_options: Any
    ) -> None:
        said = f"{name}: may {'' if allowed else 'not '}announce"
        if dry_run:
            clients.not_yet(name, allowed=allowed)
            self.stdout.write(f"{said}; nothing was done")
            return
        desk.allow_announcing(name=name, allowed=allowed, by=whoever(by), reason=reason)
        self.stdout.write(said)

    def _revoke(self, *, name: str, reason: str, by: str, dry_run: bool, **_options: Any) -> None:
        if dry_run:
            clients.active(name)
            self.stdout.write(f"{name}: revoked; nothing was done")
            return
        desk.revoke_client(name=name, by=whoever(by), reason=reason)
        self.stdout.write(f"{name}: revoked")

    def _show(self, name: str, token: str, *, as_json: bool) -> None:
        """The token alone on the output, so that a script can take it from there."""
        if as_json:
            self.stdout.write(json.dumps({"name": name, "token": token}))
            return
        self.stderr.write(ONCE)
        self.stdout.write(token)


def _as_json(client: ApiClient) -> dict[str, Any]:
    return {
        "name": client.name,
        "active": client.active,
        "rate_per_minute": client.rate_per_minute,
        "may_announce": client.may_announce,
        "old_token_until": client.both_until,
        "created_at": client.created_at,
        "created_by": client.created_by,
        "revoked_at": client.revoked_at,
        "revoked_by": client.revoked_by,
        "revoke_reason": client.revoke_reason,
    }


def _in_words(client: ApiClient) -> str:
    made = f" by {client.created_by}" if client.created_by else ""
    words = f"{client.rate_per_minute}/min, made {local_moment(client.created_at)}{made}"
    if client.may_announce:
        words += ", may announce"
    if client.both_until:
        words += f", its old token until {local_moment(client.both_until)}"
    if client.revoked_at is None:
        return words
    when = local_moment(client.revoked_at)
    return f"{words}, revoked {when} by {client.revoked_by}: {client.revoke_reason}"


def _rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_RATE:
        raise ArgumentTypeError(f"{text!r}: give 1 to {MAX_RATE} requests a minute")
    return int(text)
