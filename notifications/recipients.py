"""Who is told, as the shop answers it: the resolver's vocabulary and how addresses are shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from notifications.channels.base import Attachment
from notifications.conf import Route, conf
from notifications.envelope import Envelope

PHONE = re.compile(r"\+[\d\s()./-]{6,}\Z")
"""A phone number as people write one."""


@dataclass(frozen=True)
class Recipient:
    """One person at one address over one channel.

    reference: stable and no address ("customer/42", "customer/42/device/7"): it is part
        of the delivery's unique key.
    address: where to send; empty when the shop has none (skipped as `no_address`).
    opted_out: the person said no to this channel (skipped as `opted_out`).
    locale: language tag for templates, such as "de"; time_zone: IANA name.
    unreachable: a code, why nothing is to be sent there, where the shop knows (skipped with it).
    person: whose preferences and rights count, where `reference` is one of several places at which
        they are reached; it is how `reference` begins ("customer/42" of "customer/42/device/7").
    """

    reference: str
    address: str = field(default="", repr=False)
    opted_out: bool = False
    locale: str = ""
    time_zone: str = ""
    person: str = ""
    unreachable: str = ""

    @property
    def who(self) -> str:
        """The person's reference: `person`, or `reference` where that is the person."""
        return self.person or self.reference


def resolve(envelope: Envelope, route: Route) -> list[Recipient]:
    """Ask the shop who is to be told about this event on this route."""
    found = _listed("recipients", Recipient, _hook("recipients")(envelope, route))
    for recipient in found:
        if not isinstance(recipient.reference, str) or not recipient.reference:
            raise _nonsense(
                "recipients",
                f"a Recipient whose reference is {recipient.reference!r}",
                'a text that stays the same and is no address, as "customer/42"',
            )
    return found


def named(envelope: Envelope, *, channel: str, route: str, reference: str) -> Recipient | None:
    """The recipient of that reference on that route, as the shop knows them today, or None."""
    for declared in conf().routes.get(envelope.type, ()):
        if (declared.channel, declared.name) == (channel, route):
            for recipient in resolve(envelope, declared):
                if recipient.reference == reference:
                    return recipient
    return None


def context(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    """Ask the shop what the templates of this event may use."""
    if not conf().context:
        return {}
    given = _hook("context")(envelope, recipient)
    if not isinstance(given, Mapping):
        raise _nonsense("context", _a(given), "a dictionary of what the templates may use")
    return dict(given)


def attachments(envelope: Envelope, recipient: Recipient) -> tuple[Attachment, ...]:
    """Ask the shop what goes with the email about this event."""
    if not conf().attachments:
        return ()
    return tuple(_listed("attachments", Attachment, _hook("attachments")(envelope, recipient)))


def no_longer_true(envelope: Envelope) -> str | None:
    """Ask the shop whether the event still holds: the reason why not, or None."""
    if not conf().still_true:
        return None
    given = _hook("still_true")(envelope)
    if given and not isinstance(given, str | Promise):
        # True, above all, of a hook that answers its own name: all it is asked of would be skipped.
        raise _nonsense(
            "still_true",
            "True" if given is True else _a(given),
            "the reason why it is not true any more, as a text, or None where it is",
        )
    return str(given) if given else None


def mask(address: str) -> str:
    """An address as lists and logs may show it: `a…@example.org`, `…4567`, `…9f3c`, of a URL its
    host, `https://hooks.example.org/…`."""
    if not address:
        return ""
    if "://" in address:
        scheme, _, rest = address.partition("://")
        host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
        return f"{scheme}://{host}/…"
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}…@{domain}"
    return f"…{address[-4:]}" if len(address) > 8 else "…"


def is_address(text: str) -> bool:
    """Whether somebody has typed where a person is reached, in the place of their reference."""
    return "@" in text or bool(PHONE.match(text.strip()))


def address_hash(address: str) -> str:
    """`<key version>:<HMAC-SHA256>` of the normalised address: searchable, and no address."""
    keys = conf().address_hash_keys
    return _hash(address, max(keys)) if address and keys else ""


def address_hashes(address: str) -> list[str]:
    """The hash under every key there is: what a search for `address` has to look for."""
    return [_hash(address, version) for version in conf().address_hash_keys] if address else []


def forgotten_as(reference: str) -> list[str]:
    """By which hashes it stands on record that whoever is named so was forgotten: as themselves, or
    with all that is below them ("customer/42" of "customer/42/device/7")."""
    parts = reference.split("/")
    names = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    return [found for name in names for found in address_hashes(name)]


def searched_hashes(typed: str) -> set[str]:
    """The same for an address as people type it: a phone number in any of its spellings."""
    spelled = {typed}
    if PHONE.match(typed):
        spelled.add("+" + re.sub(r"\D", "", typed))
    return {found for address in spelled for found in address_hashes(address)}


def _hash(address: str, version: int) -> str:
    key = conf().address_hash_keys[version]
    digest = hmac.new(key.encode(), address.strip().lower().encode(), hashlib.sha256)
    return f"{version}:{digest.hexdigest()}"


def _hook(name: str) -> Callable[..., Any]:
    path: str = getattr(conf(), name)
    if not path:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["{name.upper()}"] is not set: give the dotted path of your function.'
        )
    return cast(Callable[..., Any], import_string(path))


_Kind = TypeVar("_Kind")


def _listed(hook: str, kind: type[_Kind], given: Any) -> list[_Kind]:
    """What a hook gave, one by one; TypeError for what is none of that kind."""
    wanted = f"an iterable of {kind.__name__}(…), which may be empty"
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise _nonsense(hook, _a(given), wanted)
    found = list(given)
    for each in found:
        if not isinstance(each, kind):
            raise _nonsense(hook, f"an iterable with {_a(each)} in it", wanted)
    return found


def _nonsense(hook: str, given: str, wanted: str) -> TypeError:
    path = getattr(conf(), hook)
    return TypeError(f'NOTIFICATIONS["{hook.upper()}"], {path}, gave {given}: give {wanted}.')


def _a(given: object) -> str:
    """Its kind, never what it holds: that may be an address."""
    return "None" if given is None else f"a {type(given).__name__}"
