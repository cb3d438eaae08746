"""Validity periods as SMPP writes them: a time from now (SMPP 3.4 section 7.1.1.2, relative time format)."""

from typing import Final

LONGEST: Final = 30 * 86_400
"""Seconds; more days would be months, which are not all the same."""


def relative(seconds: float) -> str:
    """YYMMDDhhmmsstnnR for so many seconds, in whole ones: at least one, at most LONGEST."""
    whole = min(LONGEST, max(1, int(seconds)))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    return f"0000{days:02}{hours:02}{rest // 60:02}{rest % 60:02}000R"
