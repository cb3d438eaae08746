"""Wall clocks and instants: what a clock on the wall of a time zone shows, and when it shows it.

Used by `domain.weekly`, `domain.budgets` and whatever else speaks of local hours. A wall-clock time that a change of
clocks skips is taken with the offset from before the gap, one that comes twice is the first (RFC 5545, section 3.3.5).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opengage.clock import Instant
from opengage.domain import local_time

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
DAY_MINUTES: Final = 24 * 60


def zone(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, such as America/New_York; None when there is none.

    Names that mean another zone on every machine (`localtime`) are none.
    """
    try:
        return local_time.zone(name) if name[:1].isupper() else None
    except local_time.UnknownZone:
        return None


def local(tz: ZoneInfo, instant: Instant) -> datetime:
    """What the wall clock shows at an instant, without a zone."""
    return (_EPOCH + instant * _MICROSECOND).astimezone(tz).replace(tzinfo=None)


def instant_of(tz: ZoneInfo, wall: datetime) -> Instant:
    """When the wall clock shows this: in a gap with the offset from before it, of two times the first."""
    return Instant((wall.replace(tzinfo=tz, fold=0) - _EPOCH) // _MICROSECOND)


def second_instant_of(tz: ZoneInfo, wall: datetime) -> Instant | None:
    """When the wall clock shows this for the second time, or None where it does so once or never."""
    again = Instant((wall.replace(tzinfo=tz, fold=1) - _EPOCH) // _MICROSECOND)
    return again if again > instant_of(tz, wall) else None


def at(tz: ZoneInfo, day: date, minute: int) -> Instant:
    """When the wall clock shows this minute of that day; minutes from 1440 on are the next day's."""
    later, of_day = divmod(minute, DAY_MINUTES)
    return instant_of(tz, datetime.combine(day + timedelta(days=later), time(*divmod(of_day, 60))))
