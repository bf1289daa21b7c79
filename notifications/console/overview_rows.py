"""The overview's table: a row for each queue, every figure a link to the list behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications.admin.display import (
    BAD,
    EMPTY,
    GOOD,
    QUIET,
    TROUBLE,
    age,
    badge,
    due,
    link,
    number,
    percent,
    two_lines,
)
from notifications.console import pages
from notifications.console.links import Links
from notifications.durations import words
from notifications.lookout import Lookout
from notifications.models import (
    Breaker,
    DeadLetter,
    Delivery,
    Event,
    Handled,
    Pause,
    WorkerProcess,
)
from notifications.queue_overview import Row
from notifications.topology import Role

NOT_KNOWN = "?"
POOR, BROKEN = 0.98, 0.9
"""Below which a rate of success is shown as trouble, and as bad."""


@dataclass(frozen=True)
class Line:
    """One queue. key: unique on the page, so that the refresh finds it again."""

    key: str
    name: object
    main: bool
    cells: tuple[object, ...]


def headings() -> tuple[object, ...]:
    """Of the cells; the name's is the template's."""
    return (
        two_lines(_("Visible"), _("in flight")),
        _("Oldest"),
        two_lines(_("Lag p50"), _("p95")),
        two_lines(_("Success"), _("last hour")),
        two_lines(_("Retries"), _("last hour")),
        _("Dead letters"),
        two_lines(_("Drains in"), _("rate")),
        two_lines(_("Workers"), _("last poll")),
        _("State"),
    )


def lines(request: HttpRequest, found: Lookout) -> list[Line]:
    links = Links(request)
    queues = (row for row in found.queues.rows if not row.queue.role.is_grave)
    return [_line(links, found, row) for row in queues]


def _line(links: Links, found: Lookout, row: Row) -> Line:
    main, name = row.queue.role is Role.MAIN, row.queue.name
    own = main and (bool(row.consumer.channel) or row.consumer.keeps_inbox)
    here = pages.url("overview")
    return Line(
        name,
        link(f"{here}?consumer={row.consumer.name}#charts", name) if own else name,
        main,
        (
            _counted(links, row),
            _oldest(links, row),
            _lag(row) if own else "",
            _success(links, found, row) if own else "",
            _retries(links, found, row) if own else "",
            _dead_letters(links, found, row),
            two_lines(_drains_in(row), f"{row.rate:.3g}/s" if row.rate and main else ""),
            _workers(links, row),
            _state(links, row),
        ),
    )


def _counted(links: Links, row: Row) -> object:
    if row.counts is None:
        return NOT_KNOWN
    in_flight = number(row.counts.in_flight)
    if row.counts.delayed:
        in_flight = _("%(count)s, %(delayed)s delayed") % {
            "count": in_flight,
            "delayed": number(row.counts.delayed),
        }
    return two_lines(
        links.page("queues", number(row.counts.visible), f"#queue-{row.queue.name}"), in_flight
    )


def _oldest(links: Links, row: Row) -> object:
    if row.oldest is None:
        return NOT_KNOWN
    if row.oldest.at is None:
        return EMPTY
    shown: object = age(row.oldest.at)
    if row.oldest.event_id:
        shown = links.row(Event, row.oldest.event_id, shown)
    elif row.consumer.channel:
        shown = links.list(Delivery, shown, channel=row.consumer.channel, state="pending")
    return shown if row.oldest.sure else format_html_join(" ", "{}", (("<",), (shown,)))


def _lag(row: Row) -> object:
    if row.lag.p50 is None or row.lag.p95 is None:
        return EMPTY
    return two_lines(words(row.lag.p50), words(row.lag.p95))


def _success(links: Links, found: Lookout, row: Row) -> object:
    counts = found.of_hour(row)
    rate = counts.success
    if rate is None:
        return EMPTY
    tone = BAD if rate < BROKEN else TROUBLE if rate < POOR else GOOD
    shown = _all_of(links, row, badge(percent(rate), tone=tone))
    bad = (
        (counts.failed, _("%(count)s failed"), "failed"),
        (counts.unknown, _("%(count)s unknown"), "unknown"),
        (counts.returned, _("%(count)s came back"), "bounced,complained"),
    )
    below = (
        _in_state(links, row, said % {"count": number(count)}, state)
        for count, said, state in bad
        if count
    )
    return two_lines(shown, _stacked(below))


def _all_of(links: Links, row: Row, text: object) -> object:
    if row.consumer.channel:
        return links.list(Delivery, text, channel=row.consumer.channel, within="1h")
    return links.list(Handled, text, consumer=row.consumer.name)


def _in_state(links: Links, row: Row, text: object, state: str) -> object:
    if row.consumer.channel:
        return links.list(Delivery, text, channel=row.consumer.channel, state=state)
    return links.list(Handled, text, consumer=row.consumer.name, outcome=state)


def _retries(links: Links, found: Lookout, row: Row) -> object:
    count, trying = found.of_hour(row).retries, found.trying.get(row.consumer.name, 0)
    if not trying:
        return number(count)
    state = "retrying" if row.consumer.channel else "open"
    text = _("%(count)s now") % {"count": number(trying)}
    return two_lines(number(count), _in_state(links, row, text, state))


def _dead_letters(links: Links, found: Lookout, row: Row) -> object:
    """Of this very queue; those that are still in SQS are the consumer's."""
    count = found.letters.get(row.queue.name, 0)
    shown: object = badge(number(count), tone=BAD) if count else "0"
    if count:
        shown = links.list(DeadLetter, shown, state="open", queue=row.queue.name)
    if row.queue.role is not Role.MAIN or not row.letters_in_sqs:
        return shown
    return two_lines(shown, _("%(count)s in SQS") % {"count": number(row.letters_in_sqs)})


def _drains_in(row: Row) -> str:
    if row.drains_in is None:
        return NOT_KNOWN if row.counts is None else _("never")
    return words(row.drains_in) if row.drains_in else EMPTY


def _workers(links: Links, row: Row) -> object:
    polls = [server.last_poll for server in row.servers if server.last_poll is not None]
    count: object = f"{len(row.servers)}" if row.servers else badge("0", tone=TROUBLE)
    polled = _("%(span)s ago") % {"span": words(min(polls))} if polls else ""
    return two_lines(links.list(WorkerProcess, count, state="running"), polled)


def _state(links: Links, row: Row) -> object:
    held: list[object] = []
    for pause in row.pauses:
        by = pause.paused_by
        said = _("paused by %(by)s") % {"by": by} if by else _("paused")
        shown = links.row(Pause, pause.pk, badge(said, tone=TROUBLE))
        held.append(two_lines(shown, pause.reason))
    for breaker in row.breakers:
        said = _("%(account)s is left alone") % {"account": breaker.account}
        shown = links.row(Breaker, breaker.pk, badge(said, tone=BAD))
        probe = due(breaker.probe_at) if breaker.probe_at else _("now")
        held.append(two_lines(shown, _line_of(_("next probe"), probe)))
    if held:
        return _stacked(held)
    if not row.servers:
        return badge(_("nobody serves it"), tone=TROUBLE)
    whys = sorted({server.held_by for server in row.servers if server.held_by})
    if whys:
        return _stacked(whys)
    return badge(_("running"), tone=QUIET)


def _stacked(parts: Iterable[object]) -> SafeString:
    return format_html_join(
        "", '<div class="notifications-stacked">{}</div>', ((p,) for p in parts)
    )


def _line_of(*parts: object) -> SafeString:
    return format_html_join(" ", "{}", ((part,) for part in parts))
