"""Trials: a text is really sent, to an address that somebody types, and is marked as a test.

It goes through the channel's own adapter and is held back by what holds back every send there:
pauses, the breaker and the account's limit. It is no delivery: nobody was to be told of anything.
Who sent it is on record where it was asked for; the address is masked there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from celery import current_app
from django.utils.translation import gettext

from notifications import allow_list, audit, providers, suppressions
from notifications.accounts import Account
from notifications.channels.adapters import adapter
from notifications.channels.base import Accepted, Content, Message
from notifications.consumers import Consumer, serving
from notifications.exceptions import Busy, NotificationError
from notifications.identifiers import uuid7
from notifications.models import Event
from notifications.models.template import Template
from notifications.recipients import mask
from notifications.redaction import redact
from notifications.templating.editing import Refused
from notifications.templating.places import Place
from notifications.templating.previews import preview
from notifications.worker.account import ProviderAccount, SeveralAccounts

MARK = "[Test] "
"""Stands before the subject; of a channel without one, before the text."""

LONGEST_ADDRESS = 4096
"""Characters; a device's token is longer than any other address."""


def send_test(place: Place, event: Event, texts: dict[str, str] | None, *, to: str, by: str) -> str:
    """Send one, and say what the provider answered, without the address. That it was tried is
    audited before it is: nobody knows what becomes of a send that is broken off.

    texts: a draft's; None: what is in use. Raises Refused: why it was not sent, or may not have
    been.
    """
    to = to.strip()
    if not 0 < len(to) <= LONGEST_ADDRESS or not to.isprintable():
        raise Refused(gettext("give an address"))
    if not allow_list.allows(to):
        raise Refused(gettext("this environment reaches nobody but its ALLOWED_RECIPIENTS"))
    if listed := suppressions.is_suppressed(place.channel, to):
        raise Refused(
            gettext("nothing is sent there: it is suppressed (%(reason)s)")
            % {"reason": listed.reason}
        )
    seen = preview(place, event, texts)
    if seen.content is None:
        raise Refused(seen.problem)
    message = _message(place, event, _marked(seen.content), to)
    template, _made = Template.objects.get_or_create(
        event_type=place.event_type, channel=place.channel, locale=place.locale
    )
    what = {
        "place": str(place),
        "event": str(event.pk),
        "draft": texts is not None,
        "to": audit.Person(to).hashed,
    }
    audit.record("template.test", by=by, target=template, after=what)
    try:
        provider, accepted = _hand_over(place.channel, message)
    except Busy as busy:
        raise Refused(gettext("not sent, try again later: %(busy)s") % {"busy": busy}) from None
    except NotificationError as error:
        said = redact(f"{error.code}: {error}", address=to)
        raise Refused(gettext("the provider did not take it: %(said)s") % {"said": said}) from None
    return gettext("sent to %(whom)s: %(provider)s took it as %(id)s") % {
        "whom": mask(to),
        "provider": provider,
        "id": accepted.provider_message_id,
    }


def _message(place: Place, event: Event, content: Content, to: str) -> Message:
    name = uuid7()  # receipts about it find no delivery, and are passed over
    return Message(
        address=to,
        content=content,
        tag=f"{name}.0.1",
        idempotency_key=f"{name}.0",
        event_type=place.event_type,
        subject=event.subject,
    )


def _marked(content: Content) -> Content:
    if content.subject:
        return replace(content, subject=f"{MARK}{content.subject}")
    return replace(content, text=f"{MARK}{content.text}")


def _hand_over(channel: str, message: Message) -> tuple[str, Accepted]:
    """As a worker does it, with what its consumer's task declares. Of several providers the one
    that takes the most is asked."""
    consumer = _consumer_of(channel)
    task: Any = current_app.tasks[consumer.task]
    headers = {"consumer": consumer.name, "queue": consumer.name}
    several = providers.of_channel(channel)
    whole: ProviderAccount | SeveralAccounts
    account: Account
    if several:
        chosen = max(several, key=lambda each: each.weight)
        whole = SeveralAccounts(task, headers)
        by, account = chosen.adapter, whole.of(chosen)
    else:
        by, account = adapter(channel), (whole := ProviderAccount(task, headers))
    try:
        whole.check()
        account.check()
        suited = by.suited(message)
        account.wait_turn(by.weight(suited))
        return by.provider, by.send(suited)
    finally:
        whole.close()


def _consumer_of(channel: str) -> Consumer:
    consumer = serving(channel)
    if consumer is None:
        raise Refused(gettext("no consumer serves the channel %(channel)s") % {"channel": channel})
    return consumer
