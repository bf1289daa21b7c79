"""`manage.py webhooks`: the partners who are posted our events, and how each of them does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications import webhooks
from notifications.exceptions import EndpointRefused, NotificationError
from notifications.management.verbs import (
    VerbCommand,
    add_changing,
    listing,
    local_moment,
    overlap_hours,
    whoever,
)
from notifications.models import WebhookEndpoint
from notifications.recipients import mask

ONCE = "This is the only time it is shown: give it to the partner, and keep no copy."


class Command(VerbCommand):
    help = (
        "List the endpoints of partners, add one, post it a test, give it a new secret, or enable "
        "and disable it. Without a verb, the list."
    )
    verbs = ("list", "add", "test", "rotate", "enable", "disable")

    def add_verbs(self, verbs: Any) -> None:
        listing(verbs, help="every endpoint and how it does")
        adding = listing(verbs, "add", help="post events to one more, and print its secret")
        adding.add_argument("name", help="what to call it: warehouse")
        adding.add_argument("url", help="https://…")
        adding.add_argument(
            "--event-type",
            action="append",
            default=[],
            dest="event_types",
            help="one it wants; may be repeated (every one that is routed to webhooks)",
        )
        add_changing(adding)
        testing = listing(verbs, "test", help="post a signed event of the type webhook.test")
        _add_endpoint(testing)
        add_changing(testing)
        rotating = listing(verbs, "rotate", help="sign with a new secret, and print it")
        _add_endpoint(rotating)
        rotating.add_argument(
            "--overlap",
            type=overlap_hours,
            default=webhooks.OVERLAP,
            metavar="HOURS",
            help="for which the old one signs too (24)",
        )
        add_changing(rotating, reason="shown to whoever looks")
        for verb, what in (
            ("enable", "send to it again, its failures forgotten"),
            ("disable", "skip what is for it from now on"),
        ):
            changing = verbs.add_parser(verb, help=what)
            _add_endpoint(changing)
            add_changing(changing, reason="shown to whoever looks")

    def do(self, verb: str, **options: Any) -> None:
        try:
            match verb:
                case "add":
                    self._add(**options)
                case "test":
                    self._test(**options)
                case "rotate":
                    self._rotate(**options)
                case "enable" | "disable":
                    self._switch(verb, **options)
                case _:
                    self._list(as_json=options["json"])
        except EndpointRefused as error:
            raise CommandError(f"Nothing was done: {error.message.rstrip('.')}.") from None

    def _list(self, *, as_json: bool) -> None:
        found = list(WebhookEndpoint.objects.order_by("name"))
        if as_json:
            self._print({"endpoints": [_row(each) for each in found]})
            return
        width = max((len(each.name) for each in found), default=0)
        for each in found:
            line = f"  {each.name:<{width}}  {mask(each.url)}  {_words(each)}"
            well = each.is_enabled and not each.failures
            self.stdout.write(line if well else self.style.WARNING(line))
        if not found:
            self.stdout.write("  no partner is posted events")

    def _add(
        self,
        *,
        name: str,
        url: str,
        event_types: list[str],
        by: str,
        dry_run: bool,
        json: bool,
        **_options: Any,
    ) -> None:
        if dry_run:
            wanted = webhooks.check(name=name, url=url, event_types=event_types)
            what = ", ".join(wanted) or "every event that is routed to webhooks"
            self._say(f"{name} would be posted {what}; nothing was done", json, name=name)
            return
        added = webhooks.add(name=name, url=url, event_types=event_types, by=whoever(by))
        self._say(
            f"{added.endpoint.name} ({added.endpoint.pk}) is posted events from now on, signed "
            f"with\n{added.secret}\n{ONCE}",
            json,
            **_row(added.endpoint),
            secret=added.secret,
        )

    def _test(self, *, endpoint: str, by: str, dry_run: bool, json: bool, **_options: Any) -> None:
        found = webhooks.find(endpoint)
        where = f"{found.name} at {mask(found.url)}"
        if dry_run:
            text = f"{where} would be posted {webhooks.TEST_TYPE}; nothing was done"
            self._say(text, json, name=found.name)
            return
        try:
            accepted = webhooks.test(found, by=whoever(by))
        except NotificationError as error:
            raise CommandError(f"{where} did not take it: {error}") from None
        said = f": {accepted.detail}" if accepted.detail else ""
        self._say(f"{where} took it{said}", json, name=found.name, detail=accepted.detail)

    def _rotate(
        self,
        *,
        endpoint: str,
        overlap: timedelta,
        by: str,
        reason: str,
        dry_run: bool,
        json: bool,
        **_options: Any,
    ) -> None:
        found = webhooks.find(endpoint)
        hours = f"{overlap.total_seconds() / 3600:g} h"
        if dry_run:
            text = f"{found.name} would get a new secret, the old one for {hours} more"
            self._say(f"{text}; nothing was done", json, name=found.name)
            return
        secret = webhooks.rotate(found, by=whoever(by), reason=reason, overlap=overlap)
        self._say(
            f"{found.name} is signed for with\n{secret}\nand with the old one for {hours} more. "
            f"{ONCE}",
            json,
            name=found.name,
            secret=secret,
        )

    def _switch(
        self,
        verb: str,
        *,
        endpoint: str,
        by: str,
        reason: str,
        dry_run: bool,
        **_options: Any,
    ) -> None:
        found = webhooks.find(endpoint)
        to = f"{verb}d"
        if found.state == to:
            self.stdout.write(f"{found.name} is {to} already")
            return
        if dry_run:
            self.stdout.write(f"{found.name} would be {to}; nothing was done")
            return
        change = webhooks.enable if verb == "enable" else webhooks.disable
        change(found, by=whoever(by), reason=reason)
        self.stdout.write(f"{found.name} is {to}")

    def _say(self, text: str, as_json: bool, **row: Any) -> None:
        if as_json:
            self._print(row)
        else:
            self.stdout.write(text)

    def _print(self, row: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(row, cls=DjangoJSONEncoder))


def _add_endpoint(parser: Any) -> None:
    parser.add_argument("endpoint", help="its name or id")


def _words(endpoint: WebhookEndpoint) -> str:
    what = ", ".join(endpoint.event_types) or "every event"
    if not endpoint.is_enabled:
        since = local_moment(endpoint.changed_at)
        return f"disabled since {since} by {endpoint.changed_by}: {endpoint.reason}"
    if endpoint.failures:
        since = local_moment(endpoint.failing_since) if endpoint.failing_since else ""
        return f"{what}; failing since {since}, {endpoint.failures} in a row: {endpoint.last_error}"
    if endpoint.last_success_at:
        return f"{what}; took one last at {local_moment(endpoint.last_success_at)}"
    return f"{what}; took none yet"


def _row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """No secret, and of the address its host."""
    return {
        "id": str(endpoint.pk),
        "name": endpoint.name,
        "url": mask(endpoint.url),
        "event_types": endpoint.event_types,
        "state": endpoint.state,
        "reason": endpoint.reason,
        "failures": endpoint.failures,
        "failing_since": endpoint.failing_since,
        "left_alone_until": endpoint.left_alone_until,
        "last_success_at": endpoint.last_success_at,
        "last_failure_at": endpoint.last_failure_at,
        "last_error": endpoint.last_error,
        "created_by": endpoint.created_by,
        "changed_by": endpoint.changed_by,
    }
