"""Wall-clock time and the instants it means: what `local-time` delivery and the legal clock stand on.

A wall time is a date and an hour without an offset, as a recipient reads it off a clock. Zones come from the pinned
`tzdata` package and not from the machine, so that every node of an installation reads the same clock.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from opengage.clock import SECOND, Instant

EARLIEST_OFFSET = timedelta(hours=14)
"""East of Greenwich, at Kiritimati: where a wall time comes first."""

LATEST_OFFSET = timedelta(hours=-12)
"""West of Greenwich, on ships and at Baker Island: where a wall time comes last."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?\Z", re.ASCII)
_WITH_OFFSET = re.compile(r".+T.+(?:[zZ]|[+-]\d\d(?::?\d\d)?)\Z", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # so that no offset leads out of what a date can hold
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}\Z", re.ASCII)


class InvalidWallTime(ValueError):
    """The text is no wall-clock time without offset; it says why, and what to write."""


class UnknownZone(ValueError):
    """No time zone of the IANA database has this name."""


def parse(text: str) -> datetime:
    """The wall time that a text such as 2026-12-01T09:00:00 writes; the seconds may be left out.

    The answer is a datetime without zone. Raises InvalidWallTime.
    """
    if _WITH_OFFSET.match(text):
        raise InvalidWallTime("a local time has no offset: leave it out, as in 2026-12-01T09:00:00")
    if not _WRITTEN.match(text):
        raise InvalidWallTime("this is no local time: write year-month-dayThour:minute, as in 2026-12-01T09:00:00")
    try:
        wall = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidWallTime(f"no clock shows this ({error}): write a real date and hour") from error
    if not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
        raise InvalidWallTime(f"the year is out of reach: write one from {_FIRST_YEAR} to {_LAST_YEAR}")
    return wall


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The rules of an IANA time zone such as "America/New_York". Raises UnknownZone."""
    fault = UnknownZone("no time zone has this name: give one of the IANA database, as in America/New_York")
    if not _NAME.match(name):
        raise fault
    try:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
            return ZoneInfo.from_file(source, key=name)
    except (OSError, ValueError) as error:
        raise fault from error


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Whether a text names an IANA time zone."""
    try:
        zone(name)
    except UnknownZone:
        return False
    return True


def wall(at: Instant, name: str) -> datetime:
    """What a clock in this zone shows at an instant, to the second. Raises UnknownZone."""
    return datetime.fromtimestamp(at // SECOND, zone(name)).replace(tzinfo=None)


def instant(wall: datetime, name: str, *, fold: int = 0) -> Instant:
    """When a clock in this zone shows a wall time (RFC 5545, 3.3.5).

    A time that the clock skips when it is put forward is read with the offset from before the gap; one that it
    shows twice when it is put back means the first, or the second with fold 1. Raises UnknownZone.
    """
    return _since_epoch(wall.replace(tzinfo=zone(name), fold=fold))


@lru_cache(maxsize=4096)
def for_recipient(wall: datetime, zones: tuple[str, ...]) -> Instant:
    """When it is no earlier than this wall time in any of the zones that a recipient may be in.

    Without zones it is the latest that it may be anywhere. Raises UnknownZone.
    """
    return max((instant(wall, name) for name in zones), default=latest(wall))


def earliest(wall: datetime) -> Instant:
    """When the first clock of the world shows this wall time: no recipient is due before."""
    return _since_epoch(wall.replace(tzinfo=UTC) - EARLIEST_OFFSET)


def latest(wall: datetime) -> Instant:
    """When the last clock of the world shows this wall time: every recipient is due by then."""
    return _since_epoch(wall.replace(tzinfo=UTC) - LATEST_OFFSET)


def _since_epoch(aware: datetime) -> Instant:
    return Instant((aware - _EPOCH) // _MICROSECOND)
