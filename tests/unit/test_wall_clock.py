"""What clocks show where people live, also on the nights when they are put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import example, given
from hypothesis import strategies as st

from notifications import wall_clock
from notifications.conf import QuietHours
from notifications.quiet_hours import delay_of, over_at

BERLIN = ZoneInfo("Europe/Berlin")
"""Forward at 02:00 of 2026-03-29, back at 03:00 of 2026-10-25."""

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",  # half an hour beside the others
        "America/Havana",  # jumps at midnight
        "Australia/Lord_Howe",  # by half an hour
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "Pacific/Marquesas",
        "Africa/Casablanca",
    ]
).map(ZoneInfo)
MOMENTS = st.integers(1_704_067_200, 1_830_297_600).map(  # 2024 to 2027
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 45]))


def berlin(text: str, *, fold: int = 0) -> datetime:
    """In UTC: Python compares no two zones' clocks while one of them shows a time twice."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def shown(moment: datetime, zone: ZoneInfo) -> time:
    return moment.astimezone(zone).time()


@given(MOMENTS, TIMES, ZONES)
@example(datetime(2026, 3, 7, 5, tzinfo=UTC), time(0, 0), ZoneInfo("America/Havana"))
def test_the_next_time_is_the_first_at_which_clocks_show_it_or_jump_over_it(
    now: datetime, wanted: time, zone: ZoneInfo
) -> None:
    found = wall_clock.next_at(now, wanted, zone)

    a_second = timedelta(seconds=1)
    assert now < found <= now + timedelta(hours=25)
    if shown(found, zone) != wanted:
        before, after = (found - a_second).astimezone(zone), found.astimezone(zone)
        assert before.utcoffset() < after.utcoffset()
        walls = (
            datetime.combine(day.date(), wanted) for day in (before, after)
        )  # at midnight, too
        naive = [day.replace(tzinfo=None) for day in (before, after)]
        assert any(naive[0] < wall < naive[1] for wall in walls)


@given(MOMENTS, TIMES, TIMES, ZONES, st.integers(0, 60))
def test_quiet_hours_are_over_later_than_now_and_once_they_are_over(
    now: datetime, begin: time, end: time, zone: ZoneInfo, minutes: int
) -> None:
    hours = QuietHours(f"{begin:%H:%M}", f"{end:%H:%M}")
    delay = timedelta(minutes=minutes)

    over = over_at(hours, zone, now, delay=delay)

    if wall_clock.is_between(now, begin, end, zone):
        assert over is not None
    if over is not None:
        assert now < over <= now + timedelta(hours=25) + delay
        assert over_at(hours, zone, over - timedelta(seconds=1), delay=delay) is not None
    else:
        assert not wall_clock.is_between(now, begin, end, zone)


@pytest.mark.parametrize(
    ("now", "wanted", "found"),
    [
        ("2026-06-01T21:30", "08:00", "2026-06-02T08:00"),
        ("2026-06-01T07:59", "08:00", "2026-06-01T08:00"),
        ("2026-06-01T08:00", "08:00", "2026-06-02T08:00"),
        ("2026-03-28T23:00", "08:00", "2026-03-29T08:00"),  # nine hours by the clock, eight pass
        ("2026-03-28T23:00", "02:30", "2026-03-29T03:00"),  # there is no 02:30 that night
        ("2026-10-24T23:00", "02:30", "2026-10-25T02:30"),  # the first of two
    ],
)
def test_the_next_time_on_ordinary_days_and_on_others(now: str, wanted: str, found: str) -> None:
    moment = wall_clock.next_at(berlin(now), wall_clock.time_of_day(wanted), BERLIN)
    assert moment == berlin(found)


def test_after_the_first_of_two_comes_the_second() -> None:
    first = berlin("2026-10-25T02:30")
    assert wall_clock.next_at(first, time(2, 30), BERLIN) == berlin("2026-10-25T02:30", fold=1)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-06-01T20:59", None),
        ("2026-06-01T21:00", "2026-06-02T08:00"),
        ("2026-06-02T00:00", "2026-06-02T08:00"),
        ("2026-06-02T07:59", "2026-06-02T08:00"),
        ("2026-06-02T08:00", None),
        ("2026-03-29T01:59", "2026-03-29T08:00"),
        ("2026-10-25T02:59", "2026-10-25T08:00"),
    ],
)
def test_the_night_is_over_when_the_clock_says_so(now: str, over: str | None) -> None:
    found = over_at(QuietHours("21:00", "08:00"), BERLIN, berlin(now))
    assert found == (berlin(over) if over else None)


def test_hours_within_a_day_end_on_it() -> None:
    siesta = QuietHours("13:00", "15:30")
    assert over_at(siesta, BERLIN, berlin("2026-06-01T13:00")) == berlin("2026-06-01T15:30")
    assert over_at(siesta, BERLIN, berlin("2026-06-01T23:00")) is None


def test_each_persons_share_of_the_spread_makes_their_night_longer() -> None:
    night, share = QuietHours("21:00", "08:00"), timedelta(minutes=7)

    for now in ("2026-06-02T07:00", "2026-06-02T08:06"):
        found = over_at(night, BERLIN, berlin(now), delay=share)
        assert found == berlin("2026-06-02T08:07")
    assert over_at(night, BERLIN, berlin("2026-06-02T08:07"), delay=share) is None


def test_shares_are_spread_evenly_and_a_person_has_always_the_same() -> None:
    night = QuietHours("21:00", "08:00", spread=10)
    shares = [delay_of(f"customer/{number}", night) for number in range(1000)]

    assert delay_of("customer/7", night) == shares[7]
    assert all(timedelta() <= share < timedelta(minutes=10) for share in shares)
    by_minute = [
        sum(share // timedelta(minutes=1) == minute for share in shares) for minute in range(10)
    ]
    assert min(by_minute) > 50
    assert delay_of("customer/7", QuietHours("21:00", "08:00", spread=0)) == timedelta()


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "America", "a\0b"])
def test_where_nobody_knows_the_zone_it_is_the_shops(name: str, settings: object) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"  # type: ignore[attr-defined]
    assert wall_clock.zone_of(name) == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("words", ["24:00", "8:00", "08:60", "8", "", "08:00:00", " 08:00"])
def test_what_is_no_time_of_the_day_is_refused(words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="08:00"):
        wall_clock.time_of_day(words)
