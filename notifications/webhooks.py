"""Webhooks: the shop's partners, who are posted its events. Whom to tell, and what operators do.

The shop's resolver answers a `Route("webhook")` with `recipients(envelope)`. How an event is
posted and signed is in `notifications.channels.webhook`.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, router, transaction
from django.utils.translation import gettext

from notifications import allow_list, audit, events
from notifications.channels.adapters import adapter
from notifications.channels.base import Accepted, Content, Message
from notifications.channels.webhook_signature import PREFIX as SECRET_PREFIX
from notifications.channels.webhook_signature import key_of
from notifications.conf import conf
from notifications.envelope import SPEC_VERSION, Envelope
from notifications.exceptions import EndpointRefused, PermanentError
from notifications.identifiers import uuid7
from notifications.models import WebhookEndpoint
from notifications.models.webhook_endpoint import WebhookEndpointQuerySet
from notifications.recipients import Recipient, mask
from notifications.redaction import redact

State = WebhookEndpoint.State

CHANNEL = "webhook"

DISABLED = "endpoint_disabled"
"""The reason why what is for a disabled endpoint is skipped."""

OVERLAP = timedelta(days=1)
"""For which the secret before signs too, so that a partner has the time to take the new one."""

SECRET_BYTES = 32
"""Standard Webhooks wants 24 to 64 random ones."""

TEST_TYPE = "webhook.test"
"""The `type` of a test's CloudEvent: no event of the shop's."""


@dataclass(frozen=True)
class Added:
    """A new endpoint and its secret, which nobody is shown again."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


def recipients(envelope: Envelope) -> list[Recipient]:
    """The endpoints that want this event; the disabled ones too, so that the skip is on record."""
    return [
        Recipient(
            endpoint.reference,
            endpoint.url,
            unreachable="" if endpoint.is_enabled else DISABLED,
        )
        for endpoint in WebhookEndpoint.objects.wanting(envelope.type)
    ]


def find(name: str) -> WebhookEndpoint:
    """The endpoint of that name or id. Raises EndpointRefused when there is none."""
    found = WebhookEndpoint.objects.filter(name=name).first()
    if found is None and (pk := identity_of(name)):
        found = WebhookEndpoint.objects.filter(pk=pk).first()
    if found is None:
        raise EndpointRefused(gettext("there is no endpoint %(name)r") % {"name": name})
    return found


def check(*, name: str, url: str, event_types: Iterable[str] = ()) -> list[str]:
    """The event types, each once. Raises EndpointRefused saying what is wrong with any of these."""
    if not 0 < len(name.strip()) <= 100:
        raise EndpointRefused(gettext("give it a name of 1 to 100 characters"))
    if WebhookEndpoint.objects.filter(name=name.strip()).exists():
        raise EndpointRefused(
            gettext("there is an endpoint %(name)r already") % {"name": name.strip()}
        )
    try:
        adapter(CHANNEL).check_address(url)
    except PermanentError as error:
        raise EndpointRefused(error.message) from None
    wanted = sorted(set(event_types))
    routed = routed_types()
    registered = {kind.name for kind in events.all_event_types()}
    for kind in wanted:
        if kind not in registered:
            raise EndpointRefused(gettext("there is no event type %(kind)r") % {"kind": kind})
        if kind not in routed:
            raise EndpointRefused(
                (
                    gettext("%(kind)s is not routed to webhooks; routed are: %(routed)s")
                    % {"kind": kind, "routed": ", ".join(routed)}
                )
                if routed
                else gettext("no event type is routed to webhooks yet")
            )
    return wanted


def routed_types() -> list[str]:
    """The event types that endpoints may want."""
    return sorted(
        kind
        for kind, routes in conf().routes.items()
        if any(route.channel == CHANNEL for route in routes)
    )


def add(
    *, name: str, url: str, event_types: Iterable[str] = (), by: str, secret: str = ""
) -> Added:
    """From now on it is sent the events of these types, or all that are routed to webhooks.

    secret: one that it has already, as `whsec_…`; a new one otherwise. Raises EndpointRefused.
    """
    wanted = check(name=name, url=url, event_types=event_types)
    secret = secret or new_secret()
    key_of(secret)
    try:
        with transaction.atomic(using=_database()):
            endpoint = _every().create(
                name=name.strip(), url=url, event_types=wanted, secret=secret, created_by=by[:150]
            )
            after = {
                "name": endpoint.name,
                "url": mask(url),
                "event_types": wanted,
                "state": endpoint.state,
            }
            audit.record("webhook.add", by=by, target=endpoint, after=after)
    except IntegrityError:  # race: somebody else has just added one of this name
        raise EndpointRefused(
            gettext("there is an endpoint %(name)r already") % {"name": name.strip()}
        ) from None
    return Added(endpoint, secret)


def rotate(
    endpoint: WebhookEndpoint,
    *,
    by: str,
    reason: str,
    overlap: timedelta = OVERLAP,
    again: bool = True,
) -> str:
    """A new secret, which nobody is shown again; the one before it signs too for `overlap`.

    again: also while the one before signs, which its partner may know alone, and which then ends.
    Raises EndpointRefused.
    """
    secret, told = new_secret(), redact(reason)
    with transaction.atomic(using=_database()):
        if not _every().rotate(
            endpoint.pk, secret=secret, overlap=overlap, by=by, reason=told, again=again
        ):
            raise EndpointRefused(_why_not_rotated(endpoint))
        hours = {"hours_of_both": overlap.total_seconds() / 3600}
        audit.record("webhook.rotate", by=by, reason=reason, target=endpoint, after=hours)
    return secret


def _why_not_rotated(endpoint: WebhookEndpoint) -> str:
    if not _every().filter(pk=endpoint.pk).exists():
        return gettext("the endpoint is gone")
    return gettext(
        "its old secret signs still; `manage.py webhooks rotate` makes a third one, and ends it"
    )


def enable(endpoint: WebhookEndpoint, *, by: str, reason: str) -> bool:
    """What happens from now on is sent to it again; what was skipped stays so, until it is resent.
    False when it was enabled."""
    return _switch("enable", endpoint, by=by, reason=reason)


def disable(endpoint: WebhookEndpoint, *, by: str, reason: str) -> bool:
    """What is for it is skipped from now on. False when it was disabled."""
    return _switch("disable", endpoint, by=by, reason=reason)


def test(endpoint: WebhookEndpoint, *, by: str) -> Accepted:
    """Post a signed event of the type `webhook.test` now, enabled or not, and say what came back.

    It leaves no delivery, and the endpoint's failures as they are. Raises what the adapter raises,
    and EndpointRefused where the endpoint may not be reached from here.
    """
    if not allow_list.allows(endpoint.url):
        raise EndpointRefused(
            gettext("its host is none of the ALLOWED_RECIPIENTS of this environment")
        )
    identity = str(uuid7())
    audit.record("webhook.test", by=by, target=endpoint, after={"event": identity})
    return adapter(CHANNEL).send(
        Message(
            address=endpoint.url,
            content=Content(text=_test_event(identity)),
            tag=identity,
            idempotency_key=identity,
            event_type=TEST_TYPE,
            subject=endpoint.reference,
            reference=endpoint.reference,
        )
    )


def new_secret() -> str:
    """`whsec_` and the base64 of random bytes (Standard Webhooks, Symmetric signatures)."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _switch(verb: str, endpoint: WebhookEndpoint, *, by: str, reason: str) -> bool:
    with transaction.atomic(using=_database()):
        done = bool(getattr(_every(), verb)(endpoint.pk, by=by, reason=redact(reason)))
        if done:
            states = [State.DISABLED, State.ENABLED]
            before, after = states if verb == "enable" else reversed(states)
            audit.record(
                f"webhook.{verb}",
                by=by,
                reason=reason,
                target=endpoint,
                before={"state": before},
                after={"state": after},
            )
    return done


def _every() -> WebhookEndpointQuerySet:
    return WebhookEndpoint.objects.using(_database())


def _database() -> str:
    return router.db_for_write(WebhookEndpoint)


def _test_event(identity: str) -> str:
    return json.dumps(
        {
            "specversion": SPEC_VERSION,
            "id": identity,
            "source": conf().source,
            "type": TEST_TYPE,
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {},
        },
        separators=(",", ":"),
    )


def identity_of(text: str) -> UUID | None:
    """The id that `text` is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None
