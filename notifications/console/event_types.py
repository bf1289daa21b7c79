"""The page of the event types: over what each is told, what waits of it, and the way to stop all of
it, one template of it, or to drop what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from notifications import consumers, digests, dropping, events, pauses
from notifications.admin.display import EMPTY, link
from notifications.admin.related import may_view
from notifications.conf import Route, conf
from notifications.console import bulk, control
from notifications.console.buttons import Button, anchor, button
from notifications.console.control import Held, of_pause
from notifications.console.links import listed
from notifications.console.switching import switch_button
from notifications.dropping import Outbox, Pending
from notifications.models import Delivery, Dispatch, Job, Pause, Template
from notifications.templating import places

Kind = Pause.Kind


@dataclass(frozen=True)
class ChannelLine:
    """What is told of one event type over one channel. waiting: how many, for each reason."""

    key: str
    channel: object
    routes: str
    told_by: object
    waiting: tuple[object, ...]
    held: tuple[Held, ...]
    buttons: tuple[Button, ...]


@dataclass(frozen=True)
class TypeLine:
    """One event type. services: what takes it beside the channels; waiting: of theirs."""

    key: str
    name: str
    deliveries: object
    services: str
    waiting: tuple[object, ...]
    held: tuple[Held, ...]
    buttons: tuple[Button, ...]
    channels: tuple[ChannelLine, ...]


@require_safe
def event_types(request: HttpRequest) -> HttpResponse:
    looked = _Look(request)
    return control.render(
        request,
        "event_types",
        title=_("Event types and templates"),
        types=[looked.line(name) for name in looked.names()],
        is_cut=looked.outbox.is_cut,
        most=dropping.MOST_COUNTED,
    )


class _Look:
    """One look at what is registered, paused and waiting."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.outbox: Outbox = dropping.outbox()
        self.waiting: Mapping[tuple[str, str], list[Pending]] = _by_channel(self.outbox.rows)
        held = Pause.objects.in_force().filter(kind__in=Pause.PUTTING_OFF)
        self.held = {(each.kind, each.name): each for each in held}
        self.told = digests.told_routes()
        self.templates = set(pauses.names(Kind.TEMPLATE))
        self.editable = set(places.routed()) if may_view(request, Template) else set()

    def names(self) -> list[str]:
        """Those that are registered, and those that are no more and still paused or waiting."""
        known = {kind.name for kind in events.all_event_types()}
        gone = {name.partition("/")[0] for _kind, name in self.held}
        return sorted(known | gone | {name for name, _channel in self.waiting if name})

    def line(self, name: str) -> TypeLine:
        expected = consumers.expected_for(name)
        services = [each for each in expected if not consumers.channel_of(each)]
        pause = self.held.get((Kind.EVENT_TYPE, name))
        return TypeLine(
            key=anchor(Kind.EVENT_TYPE, name),
            name=name,
            deliveries=listed(self.request, Delivery, _("deliveries"), event_type=name),
            services=", ".join(services) or EMPTY,
            waiting=self._waiting(name, ""),
            held=self._states(Kind.EVENT_TYPE, name),
            buttons=(switch_button(self.request, Kind.EVENT_TYPE, name, paused=pause is not None),),
            channels=tuple(self._channel(name, each) for each in self._channels(name)),
        )

    def _channels(self, name: str) -> list[str]:
        routed = {route.channel for route in self._routes(name)}
        waiting = {channel for known, channel in self.waiting if known == name and channel}
        paused = {
            held.partition("/")[2] for _kind, held in self.held if held.startswith(f"{name}/")
        }
        return sorted(routed | waiting | paused)

    def _routes(self, name: str) -> Sequence[Route]:
        return (*conf().routes.get(name, ()), *self.told.get(name, ()))

    def _channel(self, name: str, channel: str) -> ChannelLine:
        routes = [route for route in self._routes(name) if route.channel == channel]
        template = f"{name}/{channel}"
        return ChannelLine(
            key=anchor(Kind.TEMPLATE, template),
            channel=listed(self.request, Delivery, channel, channel=channel, event_type=name),
            routes=", ".join(sorted({route.name for route in routes})) or EMPTY,
            told_by=self._told_by(name, channel, routes),
            waiting=self._waiting(name, channel),
            held=self._states(Kind.TEMPLATE, template),
            buttons=tuple(self._buttons(name, channel)),
        )

    def _told_by(self, name: str, channel: str, routes: Sequence[Route]) -> object:
        """Its template, or the digest in which it is told."""
        if f"{name}/{channel}" not in self.templates:
            told = sorted({route.digest.name for route in routes if route.digest})
            return _("the digest %(name)s") % {"name": ", ".join(told)} if told else EMPTY
        if (name, channel) in self.editable:
            url = reverse("admin:notifications_template_edit", args=[name, channel, places.DEFAULT])
            return link(url, _("template"))
        return _("template")

    def _waiting(self, name: str, channel: str) -> tuple[object, ...]:
        """Each reason with how many, leading to the dispatches; of services for no channel."""
        by_reason: dict[str, int] = defaultdict(int)
        for each in self.waiting.get((name, channel), ()):
            by_reason[each.reason] += each.count
        return tuple(
            listed(
                self.request,
                Dispatch,
                f"{self.outbox.words(count)} {Dispatch.Reason(reason).label}",
                state=Dispatch.State.WAITING,
                reason=reason,
            )
            for reason, count in sorted(by_reason.items())
        )

    def _states(self, kind: Pause.Kind, name: str) -> tuple[Held, ...]:
        pause = self.held.get((kind, name))
        return (of_pause(pause),) if pause else ()

    def _buttons(self, name: str, channel: str) -> Iterator[Button]:
        template = f"{name}/{channel}"
        paused = (Kind.TEMPLATE, template) in self.held
        if paused or template in self.templates:
            yield switch_button(self.request, Kind.TEMPLATE, template, paused=paused)
        if self.waiting.get((name, channel)):
            wanted = {"event_type": [name], "channel": [channel]}
            url = bulk.confirm_url(Job.Kind.DROP, wanted)
            text = _("Drop what waits")
            yield button(self.request, "discard_delivery", text, template, url)


def _by_channel(rows: Sequence[Pending]) -> dict[tuple[str, str], list[Pending]]:
    found: dict[tuple[str, str], list[Pending]] = defaultdict(list)
    served = dropping.channels()
    for row in rows:
        found[row.event_type, served.get(row.queue, "")].append(row)
    return found
