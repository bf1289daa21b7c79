"""Undertakings: what can be done to many things at once, who may, and what names them.

    work = work_of(job.kind)
    wanted = undertaking(kind).read(request.GET)

One list for pages and commands. A filter that nobody knows, or that says nothing, is refused:
it never means everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import (
    consumers,
    dropping,
    known,
    pauses,
    redrive,
    replay,
    resend,
    topology,
)
from notifications.discarding import DiscardDeliveries, DiscardLetters, RestoreLetters
from notifications.filters import moment
from notifications.jobs import SLOWEST, Refused
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Job, Pause
from notifications.work import Work

Kind = Job.Kind
Reader = Callable[[str], Any]

MOST_TEXT = 255
"""Characters of one value, as the columns that it is compared with take them."""

MOST_VALUES = 10_000
"""Values of one filter."""


class Given(Protocol):
    """Parameters by name, each with all of its values: a QueryDict is."""

    def __iter__(self) -> Any: ...

    def getlist(self, name: str) -> list[str]: ...


@dataclass(frozen=True)
class Undertaking:
    """One kind of work, as those who may begin it know it.

    permission: of `notifications`, its codename; more than one thing at once needs run_bulk_job,
    too. many: filters that take several values, by how one is read; one: those that take one.
    named_by: of which one must be given. grouped_by: the column by which it is counted. rate,
    fastest: items a second, unless told otherwise, and at most. row: how one thing is named.
    staged: whether it goes in stages unless told otherwise. overridable: whether what the shop
    refuses may be done all the same.
    """

    kind: Job.Kind
    work: Callable[[], Work]
    permission: str
    title: Promise
    model: type[Model]
    many: Mapping[str, Reader]
    named_by: tuple[str, ...]
    grouped_by: str
    row: Callable[[Any], dict[str, Any]]
    one: Mapping[str, Reader]
    check: Callable[[Mapping[str, Any]], None] = lambda wanted: None
    rate: float = 100.0
    fastest: float = 1000.0
    staged: bool = False
    overridable: bool = False

    def read(self, given: Given) -> dict[str, Any]:
        """The filter, as a job's row keeps it. Raises Refused naming what is wrong."""
        wanted: dict[str, Any] = {}
        for name in given:
            texts = list(dict.fromkeys(given.getlist(name)))
            reader = self.many.get(name) or self.one.get(name)
            if reader is None:
                known = ", ".join(sorted({*self.many, *self.one}))
                raise Refused(
                    gettext("There is no filter %(name)r here; there are: %(known)s.")
                    % {"name": name, "known": known}
                )
            try:
                values = [reader(text) for text in texts]
            except ValueError as error:
                raise Refused(f"{name}: {error}") from None
            if len(values) > (MOST_VALUES if name in self.many else 1):
                raise Refused(
                    gettext("%(name)s: %(count)s values are too many.")
                    % {"name": name, "count": len(values)}
                )
            wanted[name] = sorted(set(values)) if name in self.many else values[0]
        self.refuse_everything(wanted)
        return wanted

    def refuse_everything(self, wanted: Mapping[str, Any]) -> None:
        """Raises Refused where the filter does not say which."""
        if not any(wanted.get(name) for name in self.named_by):
            raise Refused(
                gettext("Say which: %(named_by)s.") % {"named_by": ", ".join(self.named_by)}
            )
        try:
            self.check(wanted)
        except ImproperlyConfigured as error:
            raise Refused(str(error)) from None

    def check_rate(self, rate: float) -> None:
        """Raises Refused for one that this work may not have; for what is no number, too."""
        if not SLOWEST <= rate <= self.fastest:
            raise Refused(
                gettext("Give a rate of %(slowest)s to %(fastest)s a second.")
                % {"slowest": f"{SLOWEST:g}", "fastest": f"{self.fastest:g}"}
            )

    def stage(self, *, at_once: bool = False) -> tuple[int, int] | None:
        """What `jobs.begin` takes as its stage."""
        return (1, redrive.size_of(1) or 1) if self.staged and not at_once else None


def undertaking(kind: str) -> Undertaking:
    """Raises Refused where there is none of this name."""
    found = _UNDERTAKINGS.get(kind)
    if found is None:
        raise Refused(
            gettext("%(kind)r is no kind of work; there are: %(kinds)s.")
            % {"kind": kind, "kinds": ", ".join(_UNDERTAKINGS)}
        )
    return found


def work_of(kind: str) -> Work:
    """New work of this kind. Raises Refused."""
    return undertaking(kind).work()


def all_undertakings() -> Iterable[Undertaking]:
    return _UNDERTAKINGS.values()


def text(value: str) -> str:
    value = value.strip()
    if not 0 < len(value) <= MOST_TEXT or "\0" in value:
        raise ValueError(gettext("give 1 to %(most)s characters") % {"most": MOST_TEXT})
    return value


def text_or_none(value: str) -> str:
    """Of a column in which none is a value of its own."""
    return text(value) if value else ""


def one_of(choices: Iterable[str]) -> Reader:
    known = tuple(choices)

    def read(value: str) -> str:
        if value not in known:
            raise ValueError(
                gettext("%(value)r is none of %(known)s")
                % {"value": value, "known": ", ".join(known)}
            )
        return value

    return read


def uuid(value: str) -> str:
    try:
        return str(UUID(value.partition(".")[0]))  # of an attempt's tag, the delivery's
    except ValueError:
        raise ValueError(gettext("%(value)r is no id") % {"value": value}) from None


def number(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 19 and int(value)):
        raise ValueError(gettext("%(value)r is no whole number from 1") % {"value": value})
    return int(value)


def time(value: str) -> str:
    """Made exact, so that what is counted and what is begun is the same."""
    return moment(value).isoformat()


_TIMES: Mapping[str, Reader] = {"since": time, "until": time}
_ONE: Mapping[str, Reader] = {**_TIMES, "limit": number}


def _name(value: str) -> str:
    resend.named([value])
    return text(value)


_DELIVERIES: Mapping[str, Reader] = {
    "named": _name,
    **dict.fromkeys(resend.filters(), text),
    "delivery": uuid,
    "event": uuid,
    "state": one_of(Delivery.State.values),
    **dict.fromkeys(("fingerprint", "provider"), text_or_none),
}
_LETTERS: Mapping[str, Reader] = {
    **dict.fromkeys(redrive.filters(), text),
    "id": number,
    "event_type": text_or_none,
    "fingerprint": text_or_none,
}
_DISPATCHES: Mapping[str, Reader] = {
    "event_type": text,
    "channel": text,
    "reason": one_of(Dispatch.Reason.values),
}
_EVENTS: Mapping[str, Reader] = {"event_type": text, "subject": text, "event": uuid}


def _check_replay(wanted: Mapping[str, Any]) -> None:
    if not wanted.get("consumer"):
        raise Refused(gettext("Say to which consumer."))
    replay.types_for(consumers.get(wanted["consumer"]), wanted.get("event_type", []))


def _check_deliveries(wanted: Mapping[str, Any]) -> None:
    known.insist(Pause.Kind.EVENT_TYPE, wanted.get("event_type", ()))
    known.insist(Pause.Kind.CHANNEL, wanted.get("channel", ()))


def _check_letters(wanted: Mapping[str, Any]) -> None:
    known.insist(Pause.Kind.EVENT_TYPE, wanted.get("event_type", ()))
    # A page names all queues of a consumer, those that have no letters of their own among them.
    declared = {queue.name for queue in topology.current().queues}
    known.insist(Pause.Kind.QUEUE, sorted(set(wanted.get("queue", ())) - declared))


def _check_drop(wanted: Mapping[str, Any]) -> None:
    known.insist(Pause.Kind.EVENT_TYPE, wanted.get("event_type", ()))
    for channel in wanted.get("channel", ()):
        pauses.check(Pause.Kind.CHANNEL, channel)


def _letters(**given: Any) -> Undertaking:
    return Undertaking(
        model=DeadLetter,
        many=_LETTERS,
        one=_ONE,
        named_by=(*_LETTERS, *_TIMES),
        grouped_by="queue",
        row=redrive.row,
        check=_check_letters,
        **given,
    )


_UNDERTAKINGS: dict[str, Undertaking] = {
    each.kind: each
    for each in (
        Undertaking(
            kind=Kind.RESEND,
            work=resend.Resend,
            permission="resend_delivery",
            title=_("Send deliveries again"),
            model=Delivery,
            many=_DELIVERIES,
            one={**_ONE, "text": one_of((resend.ORIGINAL,))},
            named_by=(*resend.NAMED_BY, "state"),
            grouped_by="channel",
            row=resend.row,
            check=_check_deliveries,
            overridable=True,
        ),
        _letters(
            kind=Kind.REDRIVE,
            work=redrive.Redrive,
            permission="redrive_deadletter",
            title=_("Give dead letters back to their consumer"),
            rate=10.0,
            staged=True,
        ),
        Undertaking(
            kind=Kind.REPLAY,
            work=replay.Replay,
            permission="run_bulk_job",
            title=_("Replay events to one consumer"),
            model=Event,
            many=_EVENTS,
            one={**_ONE, "consumer": text},
            named_by=("subject", "event", *_TIMES),
            grouped_by="type",
            row=replay.row,
            check=_check_replay,
        ),
        Undertaking(
            kind=Kind.DISCARD_DELIVERIES,
            work=DiscardDeliveries,
            permission="discard_delivery",
            title=_("Discard deliveries"),
            model=Delivery,
            many=_DELIVERIES,
            one=_ONE,
            named_by=(*resend.NAMED_BY, "state"),
            grouped_by="channel",
            row=resend.row,
            check=_check_deliveries,
        ),
        _letters(
            kind=Kind.DISCARD_LETTERS,
            work=DiscardLetters,
            permission="discard_deadletter",
            title=_("Discard dead letters"),
        ),
        _letters(
            kind=Kind.RESTORE_LETTERS,
            work=RestoreLetters,
            permission="discard_deadletter",
            title=_("Open discarded dead letters again"),
        ),
        Undertaking(
            kind=Kind.DROP,
            work=dropping.Drop,
            permission="discard_delivery",
            title=_("Drop what is pending of one kind"),
            model=Dispatch,
            many=_DISPATCHES,
            one=_ONE,
            named_by=("event_type",),
            grouped_by="destination",
            row=dropping.row,
            check=_check_drop,
            rate=500.0,
        ),
    )
}
