"""Which rules hold for a batch: the legal clock and the caps of its account, the hour of its engagement.

Asked by `intent` and `singles`. The legal clock is off in the sandbox, where no person is texted, and on with every real
carrier, unless the account says otherwise.
"""

from collections.abc import Callable
from typing import Final, Protocol

from opengage.clock import Instant
from opengage.dispatch.planning import Cap, Hold, Meta, Rules
from opengage.domain import local_time
from opengage.domain.records import Account, Engagement, ServiceProfile
from opengage.domain.whereabouts import Whereabouts, whereabouts

ON: Final = "on"
OFF: Final = "off"
SANDBOX: Final = "sandbox"
_HOUR: Final = 3600
_USUAL_HOURS: Final = 24


class Ruling(Protocol):
    """A rule that holds somebody, as the legal clock names it."""

    @property
    def rule(self) -> str:
        """Its id in the data file."""
        ...

    @property
    def until(self) -> Instant:
        """The first instant at which no rule holds any more."""
        ...


class LegalClock(Protocol):
    """See domain.legal_clock."""

    def held(self, where: Whereabouts, now: Instant) -> Ruling | None:
        """The rule that forbids a text to somebody there now."""
        ...

    def cap(self, where: Whereabouts) -> tuple[int, int] | None:
        """(texts, hours): the strictest frequency cap that the law sets there."""
        ...

    @property
    def longest_cap_hours(self) -> int:
        """The hours of the longest cap of any rule, 0 without any."""
        ...


class Law:
    """The rules of the land, and how they meet an account's own."""

    def __init__(self, clock: LegalClock) -> None:
        self._clock = clock

    def rules(
        self, account: Account, engagement: Engagement | None, profile: ServiceProfile, max_segments: int, now: Instant
    ) -> Rules:
        """What holds for texts of an engagement (None: single texts) through a service profile at this instant."""
        is_on = self.is_on(account, profile)
        own = account.frequency_cap and Cap(account.frequency_cap, (account.frequency_hours or _USUAL_HOURS) * _HOUR)
        longest = max(own.seconds if own else 0, self._clock.longest_cap_hours * _HOUR if is_on else 0)

        def legal(number: str, meta: Meta) -> Hold | None:
            found = self._clock.held(whereabouts(number, meta), now)
            return None if found is None else Hold(found.rule, found.until)

        def cap(number: str, meta: Meta) -> Cap | None:
            law = self._clock.cap(whereabouts(number, meta)) if is_on else None
            if law is None:
                return own or None
            by_law = Cap(law[0], law[1] * _HOUR)
            return min(own, by_law, key=lambda each: each.count / each.seconds) if own else by_law

        return Rules(
            max_segments=max_segments,
            now=now,
            expires_at=engagement and expires_at(engagement),
            hour=_hour(engagement),
            legal=legal if is_on else None,
            cap=cap if longest else None,
            looks_back=longest,
        )

    @staticmethod
    def is_on(account: Account, profile: ServiceProfile) -> bool:
        """Whether the legal clock holds texts of this account through this service profile."""
        if account.quiet_hours in (ON, OFF):
            return account.quiet_hours == ON
        return profile.kind != SANDBOX


def expires_at(engagement: Engagement) -> Instant | None:
    """When texts of an engagement are no longer worth sending."""
    if engagement.validity_seconds is None or engagement.started_at is None:
        return None
    return Instant(engagement.started_at + engagement.validity_seconds * 1_000_000)


def _hour(engagement: Engagement | None) -> Callable[[str, Meta], Instant] | None:
    """When a text of a `local-time` engagement may go to each recipient; None for every other kind."""
    if engagement is None or engagement.delivery_local_time is None:
        return None
    wall = local_time.parse(engagement.delivery_local_time)
    return lambda number, meta: local_time.for_recipient(wall, whereabouts(number, meta).zones)
