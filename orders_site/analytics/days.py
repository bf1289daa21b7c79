"""Days as the shop has them: in its TIME_ZONE, an hour more or less long twice a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

_A_DAY = timedelta(days=1)


def day_of(moment: datetime) -> date:
    """The day on which it happened."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date()


def today() -> date:
    return day_of(timezone.now())


def bounds(day: date) -> tuple[datetime, datetime]:
    """Its first moment and that of the next day."""
    return _begins(day), _begins(day + _A_DAY)


def since(first: date) -> list[date]:
    """Every day from `first` to today."""
    return [first + _A_DAY * number for number in range((today() - first).days + 1)]


def first_kept() -> date:
    """The first day whose events are all there, and whose figures can be computed again."""
    return today() - _A_DAY * settings.ANALYTICS["kept_days"]


def _begins(day: date) -> datetime:
    """In UTC, where a sum of times is what it seems."""
    midnight = datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())
    return midnight.astimezone(UTC)
