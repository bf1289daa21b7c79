"""Suppressions: addresses that nothing is sent to, whoever asks for it, and why.

Who bounced for good, complained, or answered STOP must not be written to again, be it about an
order of their own: it costs the sender's good name, or is against the law. What is kept is a keyed
hash, so the list can be asked about an address, and nobody can read addresses from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import router, transaction
from django.utils.translation import gettext

from notifications import audit, recipients
from notifications.channels.phone_numbers import dialled
from notifications.conf import conf
from notifications.models import Delivery, Suppression
from notifications.models.suppression import (
    MOST_HINT,
    MOST_NAME,
    MOST_TEXT,
    Refused,
    SuppressionQuerySet,
)
from notifications.redaction import redact
from notifications.texts import fit

Reason = Suppression.Reason

PHONES = frozenset({"sms", "whatsapp"})
"""Channels whose addresses are telephone numbers."""

MOST_ADDRESS = 1000
"""Characters; longer than any address and any device's token."""

_PHONE = re.compile(r"(\+|00)?[\d\s()./-]{7,}\Z")


class ComplaintStands(Exception):
    """Whoever said that it is spam is not written to again because somebody clicked too fast."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "its owner has complained: lift it only when they have asked for it, and say so"
            )
        )


def suppress(
    *,
    channel: str,
    address: str = "",
    address_hash: str = "",
    reason: Reason | str,
    by: str = "",
    note: str = "",
    delivery: UUID | str | None = None,
) -> bool:
    """Send nothing more to this address over `channel`. False when that was so, for this reason.

    The address itself, or its hash as a delivery carries it. delivery: the id of the one that
    made it so. One statement, and any number of them at once leave one row. Audited where a
    person does it (`by`).
    """
    refused = refused_of(
        channel, address, address_hash, reason=reason, by=by, note=note, delivery=delivery
    )
    with transaction.atomic(using=router.db_for_write(Suppression)):
        added = bool(add([refused]))
        if added and by:
            _audit_added(refused)
    return added


def suppress_address_of(delivery: Delivery, *, by: str, note: str) -> bool:
    """Where this one was sent, an operator says, nothing is sent any more. False: that was so."""
    return suppress(
        channel=delivery.channel,
        address=delivery.address,
        address_hash=delivery.address_hash,
        reason=Reason.OPERATOR,
        by=by,
        note=note,
        delivery=delivery.pk,
    )


def _audit_added(refused: Refused) -> None:
    kept = _all().of(refused.channel, refused.hashes).filter(reason=refused.reason)
    cause = Delivery.objects.filter(pk=refused.delivery).first() if refused.delivery else None
    audit.record(
        "suppression.add",
        by=refused.by,
        reason=refused.note,
        target=kept.latest("pk"),
        subject=cause.subject if cause else "",
        after={"channel": refused.channel, "suppressed_for": [refused.reason]},
    )


def refused_of(
    channel: str,
    address: str,
    address_hash: str = "",
    *,
    reason: Reason | str,
    by: str = "",
    note: str = "",
    delivery: UUID | str | None = None,
) -> Refused:
    """What `add` takes; the address is in it no more."""
    return Refused(
        channel,
        _hashes(channel, address, address_hash),
        Reason(reason).value,
        hint=fit(recipients.mask(canonical(address)), MOST_HINT),
        note=fit(redact(note), MOST_TEXT),
        by=fit(by, MOST_NAME),
        delivery=delivery,
    )


def add(refused: Collection[Refused]) -> int:
    """Suppress many at once; how many were not, for that reason."""
    return _all().add(refused) if refused else 0


def missing(refused: Collection[Refused]) -> int:
    """How many `add` would suppress now."""
    return _all().missing(refused) if refused else 0


def is_suppressed(channel: str, address: str) -> Suppression | None:
    """The weightiest suppression of this address over `channel`, or None. One statement."""
    return _all().of(channel, hashes(address)).first()


def lift(
    *,
    channel: str,
    address: str = "",
    address_hash: str = "",
    by: str,
    reason: str,
    although_complained: bool = False,
    dry_run: bool = False,
) -> int:
    """Let this address be sent to again, whatever it was suppressed for; how many rows that were.

    Raises ComplaintStands if one of them is a complaint, unless `although_complained`. dry_run: say
    the same, and change nothing.
    """
    with transaction.atomic(using=router.db_for_write(Suppression)):
        found = _all().of(channel, _hashes(channel, address, address_hash))
        # Race: a complaint that comes just now is no row that was found, and stays.
        rows = list(found.select_for_update().values_list("pk", "reason"))
        if not although_complained and any(why == Reason.COMPLAINT for _, why in rows):
            raise ComplaintStands
        if dry_run:
            return len(rows)
        lifting = _all().filter(pk__in=[pk for pk, _ in rows])
        lifted = lifting.lift(by=fit(by, MOST_NAME), reason=fit(redact(reason), MOST_TEXT))
        if lifted:
            audit.record(
                "suppression.remove",
                by=by,
                reason=reason,
                target=Suppression(pk=rows[0][0]),
                before={"channel": channel, "suppressed_for": sorted(why for _, why in rows)},
                after={"suppressed_for": []},
            )
    return lifted


def canonical(address: str) -> str:
    """A telephone number as E.164, however it is spelled or a provider writes it; else as it is."""
    address = address.strip()
    if not _PHONE.match(address):
        return address
    return dialled("+" + re.sub(r"\D", "", address).removeprefix("00"))


def problem_of(channel: str, address: str) -> str:
    """Why this cannot be suppressed as somebody gave it; empty when it can. Says no address."""
    if channel not in conf().channels:
        known = ", ".join(conf().channels) or "none"
        if not channel:
            return gettext("it has no channel")
        said = gettext("there is no channel %(channel)r, but %(known)s")
        return said % {"channel": channel, "known": known}
    if not address.strip():
        return gettext("it has no address")
    if len(address) > MOST_ADDRESS or not address.isprintable():
        return gettext("this is no address")
    if channel == "email":
        return "" if _is_email(address.strip()) else gettext("this is no email address")
    if channel in PHONES and not canonical(address).startswith("+"):
        return gettext("this is no telephone number")
    return ""


def hashes(address: str) -> list[str]:
    """What a suppression of `address` may be kept as: under every key, as it is and as E.164."""
    spelled = dict.fromkeys([canonical(address), address.strip()])
    return [found for each in spelled for found in recipients.address_hashes(each)]


def kept_as(address: str) -> list[str]:
    """`hashes`, the one that a new suppression is kept as before the others."""
    newest = recipients.address_hash(canonical(address))
    return list(dict.fromkeys(filter(None, [newest, *hashes(address)])))


def _hashes(channel: str, address: str, address_hash: str) -> list[str]:
    found = [*kept_as(address), *filter(None, [address_hash])]
    if not channel or not found:
        raise ValueError("a suppression needs a channel, and an address or its hash")
    return found


def _is_email(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def _all() -> SuppressionQuerySet:
    return Suppression.objects.using(router.db_for_write(Suppression))
