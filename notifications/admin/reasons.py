"""Why a delivery is in its state, in a sentence: what its page says beside the bare code."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import Delivery

SENTENCES: dict[str, Promise] = {
    # it was decided not to send it
    "opted_out": _("The customer does not agree to this channel."),
    "suppressed": _("Its address is on the suppression list, for what stands behind the colon."),
    "unwanted": _("The customer does not want this kind of news over this channel."),
    "no_address": _("There is no address for this channel."),
    "expired": _("The event had grown too old to be worth telling."),
    "no_longer_true": _("What the event says was no longer true when it was to be sent."),
    "announcement_cancelled": _("The announcement that it is part of was cancelled before."),
    "no_longer_named": _("It was to be sent again, but the shop names nobody any more."),
    # it waits for its recipient
    "recipient_limit": _("The recipient has been told enough for now: it is told when due."),
    "quiet_hours": _("The recipient's quiet hours: it is told when they are over."),
    "digest": _("It is collected, and told with others when their digest is due."),
    # it was told with others
    "in_digest": _("It was told in a digest, which has the attempts and the receipts."),
    "digest_failed": _("The digest in which it was to be told failed, or was discarded."),
    "left_out": _("It was left out of its digest: what follows says why."),
    "nothing_left": _("All that was collected for this digest was left out of it."),
    "not_allowed_here": _("This environment reaches nobody but its ALLOWED_RECIPIENTS."),
    "endpoint_disabled": _("The endpoint was disabled: its own page says by whom, and why."),
    "private_address": _("The endpoint's host is at an address that is not public."),
    # an operator said what became of it
    "settled_by_operator": _("Nobody knew, until an operator said so: below is who, and why."),
    "discarded_by_operator": _("An operator discarded it: the timeline says who, and why."),
    # it was given up
    "attempts_exhausted": _("It was tried as often as the consumer allows, and never taken."),
    "given_up": _("Its message failed before anything was sent: the last error says why."),
    "original_not_kept": _("Its original text was to be sent again, and is kept no longer."),
    "template_missing": _("There is no template for it: no file, and nothing published."),
    "template_variable": _("Its template uses something that the shop does not say of it."),
    "template_value": _("Its template does something that does not fit what the shop says."),
    "invalid_address": _("Nothing can be sent to this address: it has the wrong form."),
    "invalid_request": _("The request does not fit the provider's form."),
    "not_an_event": _("The message is no event that can be read."),
    "unknown_event": _("Nothing here knows this type or version of event."),
}
"""By code; what follows a colon is the shop's own and stays with the code."""

UNKNOWN = _(
    "The provider's answer never came: look it up there by the tag %(tag)s, and say what you "
    "found, here or with manage.py deliveries settle."
)
REPORTED = _("The provider took it, and said so later: the code is the provider's own.")
REFUSED = _(
    "The provider refused it, or sending it failed, for good: the code is the provider's own or "
    "the error's name, the last error says more."
)


def sentence(delivery: Delivery) -> str:
    """What the reason or the state means to an operator; empty where the state says it all."""
    if delivery.state == Delivery.State.UNKNOWN:
        return UNKNOWN % {"tag": _tag(delivery)}
    code = delivery.reason.partition(":")[0]
    if code in SENTENCES:
        return str(SENTENCES[code])
    if delivery.state in (Delivery.State.BOUNCED, Delivery.State.COMPLAINED):
        return str(REPORTED)
    return str(REFUSED) if delivery.state == Delivery.State.FAILED else ""


def _tag(delivery: Delivery) -> str:
    """What the provider was given with the latest attempt."""
    return f"{delivery.pk}.{delivery.generation}.{delivery.attempts}"
