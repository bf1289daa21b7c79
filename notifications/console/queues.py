"""The page of the queues: what lies in each, who serves it, what holds it; pause and resume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from notifications import depths, dropping, throughput
from notifications.admin.display import EMPTY, GOOD, TROUBLE, badge
from notifications.console import control
from notifications.console.buttons import Button, anchor
from notifications.console.control import Held, of_breaker, of_pause
from notifications.console.links import listed
from notifications.console.switching import switch_button
from notifications.dropping import Outbox
from notifications.durations import words
from notifications.models import DeadLetter, Delivery, Dispatch, Pause, WorkerProcess
from notifications.queue_overview import Row, overview
from notifications.topology import Role

SPAN = timedelta(minutes=15)
"""From which the lag is told."""

NOT_KNOWN = "?"

Kind = Pause.Kind


@dataclass(frozen=True)
class Line:
    """One queue. More than SQS says of it is only there as far as this visitor may see it."""

    key: str
    name: str
    is_first: bool
    visible: object
    in_flight: object
    oldest: str
    outbox: object
    letters: object
    workers: object
    polled: str
    held: tuple[Held, ...]
    buttons: tuple[Button, ...]
    deliveries: object


@require_safe
def queues(request: HttpRequest) -> HttpResponse:
    rates = throughput.rates(SPAN)
    found, outbox = overview(SPAN, found=depths.look().found, rates=rates), dropping.outbox()
    rows = [row for row in found.rows if not row.queue.role.is_grave]
    return control.render(
        request,
        "queues",
        title=_("Queues"),
        lines=[_line(request, row, outbox, found.at.timestamp()) for row in rows],
        trouble=found.trouble,
    )


def _line(request: HttpRequest, row: Row, outbox: Outbox, now: float) -> Line:
    waiting = sum(each.count for each in outbox.rows if each.queue == row.queue.name)
    name, channel, first = row.queue.name, row.consumer.channel, row.queue.role is Role.MAIN
    return Line(
        key=anchor(Kind.QUEUE, name),
        name=name,
        is_first=first,
        visible=row.counts.visible if row.counts else NOT_KNOWN,
        in_flight=row.counts.in_flight if row.counts else NOT_KNOWN,
        oldest=_oldest(row, now),
        outbox=listed(request, Dispatch, outbox.words(waiting), destination=name)
        if waiting
        else EMPTY,
        letters=_letters(request, row) if first else "",
        workers=listed(request, WorkerProcess, len(row.servers)),
        polled=_polled(row),
        held=tuple(_held(row)),
        buttons=tuple(_buttons(request, row)),
        deliveries=listed(request, Delivery, channel, channel=channel) if channel else "",
    )


def _oldest(row: Row, now: float) -> str:
    if row.oldest is None:
        return NOT_KNOWN
    if row.oldest.at is None:
        return EMPTY
    return f"{'' if row.oldest.sure else '< '}{words(max(0.0, now - row.oldest.at.timestamp()))}"


def _letters(request: HttpRequest, row: Row) -> object:
    """Here and in SQS."""
    count = row.open_letters + (row.letters_in_sqs or 0)
    text = f"{count}{'+?' if row.letters_in_sqs is None else ''}"
    return listed(request, DeadLetter, text, queue=row.queue.name)


def _polled(row: Row) -> str:
    ages = [server.last_poll for server in row.servers if server.last_poll is not None]
    return words(min(ages)) if ages else EMPTY


def _held(row: Row) -> Iterator[Held]:
    yield from (of_pause(pause, name=True) for pause in row.pauses)
    yield from (of_breaker(breaker, name=True) for breaker in row.breakers)
    if not row.servers:
        yield Held(badge(_("nobody serves it"), tone=TROUBLE))
    elif not row.pauses and not row.breakers:
        yield Held(badge(_("running"), tone=GOOD))


def _buttons(request: HttpRequest, row: Row) -> Iterator[Button]:
    held = {(each.kind, each.name) for each in row.pauses}
    name, channel = row.queue.name, row.consumer.channel
    yield switch_button(request, Kind.QUEUE, name, paused=(Kind.QUEUE, name) in held)
    if channel and row.queue.role is Role.MAIN:
        paused = (Kind.CHANNEL, channel) in held
        yield switch_button(request, Kind.CHANNEL, channel, paused=paused)
