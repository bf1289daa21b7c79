"""The operations on announcements, for clients that may announce: the seam to `notifications`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from notifications import announcement_progress, announcements, audit, rate_limits
from notifications.announcement_progress import Standing
from notifications.envelope import json_object
from notifications.exceptions import NotAnEvent
from notifications.models import Announcement
from orders_site.api.exceptions import Problem
from orders_site.api.idempotency import Answer, answer_once
from orders_site.api.models import ApiClient
from orders_site.api.orders import CHANGING, CREATING, MAX_PAGE, READING, Key, errors_of, slot_of
from orders_site.api.schemas import BIGINT, NO_NUL, In

PATH = "/api/announcements"

router = Router(tags=["announcements"])

Name = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=NO_NUL),
    Field(description="Why; it is kept.", examples=["sale"]),
]

DEEPEST = 10
"""Lists and objects in one another; facts are flat."""


def _facts(data: dict[str, Any]) -> dict[str, Any]:
    """As an event may hold them, in the order of their names: how they were ordered says nothing.

    Whether the event type has them is told when its first event is made."""
    if _is_deeper(data, DEEPEST):
        raise PydanticCustomError("too_deep", "Input is nested too deeply")
    try:
        return json_object(json.dumps(data, sort_keys=True))
    except NotAnEvent:
        message = "Input holds NaN, NUL or half of a surrogate pair, which cannot be kept"
        raise PydanticCustomError("not_kept", message) from None


def _is_deeper(value: Any, levels: int) -> bool:
    match value:
        case dict():
            within = list(value.values())
        case list():
            within = value
        case _:
            return False
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in within)


Facts = Annotated[dict[str, Any], AfterValidator(_facts)]


class NewAnnouncement(In):
    """One event type for everybody in an audience."""

    event_type: Annotated[Name, Field(examples=["shop.news"])]
    audience: Annotated[Name, Field(examples=["customers"])]
    data: Facts = Field(
        default_factory=dict,
        description="The event's facts that are the same for everybody.",
        examples=[{"percent_off": 20, "until": "2027-04-30", "code": "PINE20"}],
    )
    channels: Annotated[
        list[Name], Field(description="Only over these; all that the event has, if empty.")
    ] = []
    rate: Annotated[
        float | None,
        Field(
            ge=rate_limits.SLOWEST,
            le=rate_limits.FASTEST,
            description="People a second over each channel, at most; one a day at least.",
        ),
    ] = None
    reason: Reason


class Move(In):
    """Why it is paused, resumed or cancelled."""

    reason: Reason


class LaneOut(BaseModel):
    """One channel: people whose message was put on its queue, and what became of the messages."""

    channel: str = Field(examples=["email"])
    people: int
    settled: int
    under_way: int
    postponed: int
    counts: dict[str, int] = Field(examples=[{"sent": 9620, "skipped:opted_out": 380}])
    pace: float | None = Field(description="People a second, of late.")
    limit: float | None = Field(description="Units a second that the account may be sent.")
    seconds_left: float | None


class AnnouncementOut(BaseModel):
    """How far it is. `total` is an estimate until the whole audience was gone through."""

    id: int
    event_type: str
    audience: str
    channels: list[str]
    data: dict[str, Any]
    state: str = Field(json_schema_extra={"enum": Announcement.State.values})
    rate: float | None
    by: str
    reason: str
    total: int
    total_is_exact: bool
    people: int
    repeated: int
    refused: int
    seconds_left: float | None
    created_at: str
    expanded_at: str | None
    finished_at: str | None
    lanes: list[LaneOut]


class AnnouncementPage(BaseModel):
    """Announcements, the latest first. `next` is the `after` of the page behind it."""

    announcements: list[AnnouncementOut]
    next: int | None


@router.post(
    "/announcements",
    response={201: AnnouncementOut, **CREATING, **errors_of(403)},
    summary="Announce something to an audience",
)
def create_announcement(
    request: HttpRequest, wish: NewAnnouncement, key: Key = None
) -> HttpResponse:
    """It is begun; the relays take the audience from here. `Location` says how far it is."""
    client = _announcer(request)

    def work() -> Answer:
        try:
            wanted = announcements.wish(
                wish.event_type, audience=wish.audience, data=wish.data, channels=wish.channels
            )
            with audit.through(audit.Door.API):
                begun = announcements.begin(
                    wanted, by=_name(client), reason=wish.reason, rate=wish.rate
                )
        except announcements.Refused as error:
            raise Problem(422, "invalid", error.message) from None
        return _answer(begun, status=201)

    return answer_once(slot_of(client, key, f"POST {PATH}", wish), work)


@router.get(
    "/announcements",
    response={200: AnnouncementPage, **errors_of(401, 403, 422, 429, 500, 503)},
    summary="List announcements",
)
def list_announcements(
    request: HttpRequest,
    after: Annotated[
        int | None, Query(ge=1, le=BIGINT, description="The `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> HttpResponse:
    """Yours, the latest first."""
    found = _own(request).order_by("-pk")
    if after is not None:
        found = found.filter(pk__lt=after)
    rows = list(found[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    page = {
        "announcements": [announcement_progress.as_json(_standing(row)) for row in rows],
        "next": rows[-1].pk if more else None,
    }
    return HttpResponse(_text(page), content_type="application/json")


@router.get(
    "/announcements/{int:number}",
    response={200: AnnouncementOut, **READING, **errors_of(403)},
    summary="How far an announcement is",
)
def read_announcement(request: HttpRequest, number: int) -> HttpResponse:
    return _answer(_find(request, number)).response()


@router.post(
    "/announcements/{int:number}/pause",
    response={200: AnnouncementOut, **CHANGING, **errors_of(403)},
    summary="Hold what is ahead of an announcement",
)
def pause(request: HttpRequest, number: int, move: Move, key: Key = None) -> HttpResponse:
    """Nobody more is told after a second or two."""
    return _move(request, number, "pause", announcements.pause, move, key)


@router.post(
    "/announcements/{int:number}/resume",
    response={200: AnnouncementOut, **CHANGING, **errors_of(403)},
    summary="Go on with an announcement",
)
def resume(request: HttpRequest, number: int, move: Move, key: Key = None) -> HttpResponse:
    return _move(request, number, "resume", announcements.resume, move, key)


@router.post(
    "/announcements/{int:number}/cancel",
    response={200: AnnouncementOut, **CHANGING, **errors_of(403)},
    summary="End an announcement for good",
)
def cancel(request: HttpRequest, number: int, move: Move, key: Key = None) -> HttpResponse:
    """What is not sent yet is never sent."""
    return _move(request, number, "cancel", announcements.cancel, move, key)


def _move(
    request: HttpRequest,
    number: int,
    verb: str,
    apply: Callable[..., Announcement],
    move: Move,
    key: str | None,
) -> HttpResponse:
    client = _announcer(request)

    def work() -> Answer:
        found = _find(request, number)
        try:
            with audit.through(audit.Door.API):
                return _answer(apply(found.pk, by=_name(client), reason=move.reason))
        except announcements.Refused as error:
            raise Problem(
                409, "illegal_transition", error.message, state=str(found.state)
            ) from None

    return answer_once(slot_of(client, key, f"POST {PATH}/{number}/{verb}", move), work)


def _announcer(request: HttpRequest) -> ApiClient:
    client: ApiClient = request.auth
    if not client.may_announce:
        raise Problem(403, "forbidden", "This client may not announce: ask the shop's operators.")
    return client


def _own(request: HttpRequest) -> Any:
    return Announcement.objects.filter(actor=_name(_announcer(request)))


def _find(request: HttpRequest, number: int) -> Announcement:
    """Another client's, or an operator's, is none."""
    found: Announcement | None = _own(request).filter(pk=number).first()
    if found is None:
        raise Problem(404, "not_found", f"You have no announcement {number}.")
    return found


def _name(client: ApiClient) -> str:
    """As its log names it: no user name of Django's holds a colon."""
    return f"api:{client.name}"


def _standing(announcement: Announcement) -> Standing:
    return announcement_progress.standing(announcement)


def _answer(announcement: Announcement, *, status: int = 200) -> Answer:
    announcement.refresh_from_db()
    body = _text(announcement_progress.as_json(_standing(announcement)))
    return Answer(status, body, f"{PATH}/{announcement.pk}" if status == 201 else "")


def _text(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)
