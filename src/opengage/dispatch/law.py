"""Which rules hold for a batch: the legal clock and the caps of its account, the hour of its engagement.

Asked by `intent` and `singles`. The legal clock runs for accounts that have switched it on.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

from opengage.clock import Instant
from opengage.dispatch.planning import Rules
from opengage.domain import local_time
from opengage.domain.frequency import FREQUENCY_CAP, Cap
from opengage.domain.legal_clock import Hold, LegalClock
from opengage.domain.records import Account, Engagement
from opengage.domain.whereabouts import Whereabouts

ON: Final = "on"
_HOUR: Final = 3600
_USUAL_HOURS: Final = 24


class Law:
    """The rules of the land, and how they meet an account's own."""

    def __init__(self, clock: LegalClock) -> None:
        self._clock = clock

    def has_caps(self, account: Account) -> bool:
        """Whether anything limits how often people of an account are texted."""
        return bool(account.frequency_cap) or (account.quiet_hours == ON and self._clock.longest_cap_hours > 0)

    def rules(self, account: Account, engagement: Engagement | None, max_segments: int, now: Instant) -> Rules:
        """What holds for texts of an engagement (None: single texts) at this instant."""
        is_on = account.quiet_hours == ON
        own = _own_caps(account)
        longest = max([self._clock.longest_cap_hours * _HOUR if is_on else 0, *(cap.seconds for cap in own)])

        def legal(place: Whereabouts) -> Hold | None:
            return self._clock.held(place, now)

        @cache  # few places hold all of a batch
        def caps(place: Whereabouts) -> list[Cap]:
            by_law = self._clock.caps(place) if is_on else ()
            return own + [Cap(cap.rule, cap.count, cap.hours * _HOUR) for cap in by_law]

        return Rules(
            max_segments=max_segments,
            now=now,
            expires_at=expires_at(engagement) if engagement else None,
            hour=_hour(engagement),
            legal=legal if is_on else None,
            caps=caps if longest else None,
            looks_back=longest,
        )


def _own_caps(account: Account) -> list[Cap]:
    """What the account asks for itself: one cap, or none."""
    if not account.frequency_cap:
        return []
    return [Cap(FREQUENCY_CAP, account.frequency_cap, (account.frequency_hours or _USUAL_HOURS) * _HOUR)]


def expires_at(engagement: Engagement) -> Instant | None:
    """When texts of an engagement are no longer worth sending."""
    if engagement.validity_seconds is None or engagement.started_at is None:
        return None
    return Instant(engagement.started_at + engagement.validity_seconds * 1_000_000)


def _hour(engagement: Engagement | None) -> Callable[[Whereabouts], Instant] | None:
    """When a text of a `local-time` engagement may go to each recipient; None for every other kind."""
    if engagement is None or engagement.delivery_local_time is None:
        return None
    wall = local_time.parse(engagement.delivery_local_time)
    return lambda place: local_time.for_recipient(wall, place.zones)
