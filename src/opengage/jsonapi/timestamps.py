"""Instants as text and back: always six fraction digits, always +00:00 (wire contract, section 3).

Part of step 2 of a text's path. An instant here is a whole number of microseconds since the Unix epoch.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_END: Final = 253_402_300_800_000_000
"""The year 10000."""


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def to_text(instant: int) -> str:
    """Such as 2026-07-07T19:36:01.641305+00:00; a page of rows written together costs one calendar computation."""
    seconds, microseconds = divmod(instant, 1_000_000)
    return f"{_second(seconds)}{microseconds:06d}+00:00"


def to_text_or_none(instant: int | None) -> str | None:
    """`to_text`, or None for what has not happened."""
    return None if instant is None else to_text(instant)


def from_text(text: str) -> int:
    """The instant that an ISO 8601 text with an offset (or Z) names.

    Raises ValueError when it is no such text, or has no offset (wall-clock time alone is not an instant), or names an
    instant before 1970 or after the year 9999, which `to_text` could not say again.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not 0 <= instant < _END:
        raise ValueError("out of range")
    return instant
