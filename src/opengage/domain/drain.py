"""How fast a blast goes, when it will be done, and whether its texts would expire before their turn.

Asked by `operations` for the pre-flight and for progress, and when an engagement is scheduled: a backlog that outlasts
the texts' validity is refused. A forecast knows what is configured (rates, budgets, open hours); how fast a carrier
really takes texts is known from the counts by minute once it runs.

Rates are segments a second; None is no limit of ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.budgets import LONGEST_SECONDS, Budget, Period, Unit, Use
from opengage.domain.weekly import Span, Weekly

HORIZON_DAYS: Final = 60
"""How far a forecast looks; what takes longer has no end in sight."""

OVER: Final = 5
"""Minutes that a measured rate is taken over."""

_UNLIMITED: Final = 1e9  # segments a second
_MOST_STEPS: Final = 50_000
_DUST: Final = 1e-6
_MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 86_400 * SECOND


class Lane(msgspec.Struct, frozen=True):
    """A phone number that works on the backlog: its rate, and what is used up of its budgets."""

    rate: float | None = None
    uses: tuple[Use, ...] = ()


class Forecast(msgspec.Struct, frozen=True):
    """When a backlog is done.

    `finishes_at` is None when that is not within HORIZON_DAYS; `left` are the segments that would not have gone by the
    end of their validity, 0 without one.
    """

    backlog: int
    starts_at: Instant
    finishes_at: Instant | None
    left: int = 0

    @property
    def seconds(self) -> float | None:
        """From the start to the last text."""
        return None if self.finishes_at is None else (self.finishes_at - self.starts_at) / SECOND


def measured_rate(minutes: Mapping[Instant, int], now: Instant, over: int = OVER) -> float:
    """Texts a second, of late: from counts by the minute in which they went (keyed by its beginning).

    The current minute counts for as much of it as is over, and a blast that began lately is not averaged with the
    silence before it.
    """
    floor = now - now % _MINUTE - (over - 1) * _MINUTE
    recent = {minute: count for minute, count in minutes.items() if floor <= minute <= now}
    if not recent:
        return 0.0
    began = floor if min(minutes) < floor else min(recent)
    return sum(recent.values()) * SECOND / max(SECOND, now - began)


def eta(remaining: int, rate: float, now: Instant, weekly: Weekly | None = None) -> Instant | None:
    """When what remains is done at a measured rate, in open hours; None when nothing moves or no end is in sight."""
    if remaining <= 0:
        return now
    return forecast(remaining, [Lane(rate)], now, weekly=weekly).finishes_at if rate > 0 else None


def forecast(
    backlog: int,
    lanes: Sequence[Lane],
    starts_at: Instant,
    *,
    weekly: Weekly | None = None,
    shared: Iterable[Use] = (),
    segments_per_text: float = 1.0,
    valid_until: Instant | None = None,
) -> Forecast:
    """When `backlog` segments have gone over these lanes, if all goes well.

    `shared` are the budgets that the lanes share: their service profile's, and the engagement's own limits. Budgets of
    a minute are taken as a rate, those of an hour or a day period by period.
    """
    flow = _Flow(lanes, shared, segments_per_text, starts_at)
    left: float | None = None
    remaining = float(backlog)
    for span in _open(weekly, starts_at):
        for part in _cut(span, valid_until):
            if left is None and valid_until is not None and part.opens_at >= valid_until:
                left = remaining
            remaining, at = flow.run(remaining, part)
            if at is not None:
                return Forecast(backlog, starts_at, at, _whole(left, backlog))
    if left is None and valid_until is not None:
        left = remaining
    return Forecast(backlog, starts_at, None, _whole(left, backlog))


def refusal(found: Forecast, validity_seconds: int | None) -> str | None:
    """Why an engagement with this forecast must not be scheduled, in words; None when it may be."""
    if found.finishes_at is None and validity_seconds is None:
        return (
            f"{found.backlog:,} segments would not be sent within {HORIZON_DAYS} days at the configured rates, budgets "
            "and hours. Raise those, add phone numbers, or split the engagement."
        )
    if validity_seconds is None or not found.left:
        return None
    lasts = f"take {spoken(found.seconds)}" if found.seconds is not None else f"take more than {HORIZON_DAYS} days"
    return (
        f"Sending would {lasts}, but texts expire {spoken(validity_seconds)} after the start: {found.left:,} of "
        f"{found.backlog:,} segments would never be sent. Allow more time, raise the rate or the budgets, add phone "
        "numbers, or split the engagement."
    )


def spoken(seconds: float) -> str:
    """A duration in its two largest units, as in `2 h 5 min`, rounded up to the smaller one."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    for place, (size, name) in enumerate(units):
        if seconds >= size and size > 1:
            smaller, smaller_name = units[place + 1]
            whole = -int(-seconds // smaller)
            first, second = divmod(whole, size // smaller)
            return f"{first} {name} {second} {smaller_name}" if second else f"{first} {name}"
    return f"{-int(-seconds // 1)} s"


class _Meter:
    """A budget as time goes on: what is left of it in segments, and until when."""

    def __init__(self, use: Use, segments_per_text: float, start: Instant) -> None:
        self.budget: Budget = use.budget
        self._limit = use.budget.limit * (segments_per_text if use.budget.unit is Unit.TEXTS else 1.0)
        used = use.used * (segments_per_text if use.budget.unit is Unit.TEXTS else 1.0)
        self.room = max(0.0, self._limit - used)
        self.ends_at = use.budget.ends_at(start)

    @property
    def as_rate(self) -> float:
        """The whole limit spread over its period."""
        return self._limit / LONGEST_SECONDS[self.budget.period]

    def renew(self, now: Instant) -> None:
        """A new period brings the whole limit."""
        if now < self.ends_at:
            return
        self.room = self._limit
        if self.budget.period is Period.HOUR:  # two months have many hours, and clock changes shift none of them
            self.ends_at = Instant(now - (now - self.ends_at) % _HOUR + _HOUR)
        else:
            self.ends_at = self.budget.ends_at(now)


class _Pipe:
    """A lane: the segments a second that it can take, and the meters that run with it."""

    def __init__(self, rate: float | None, meters: Sequence[_Meter]) -> None:
        minutes = [meter.as_rate for meter in meters if meter.budget.period is Period.MINUTE]
        self.rate = min([_UNLIMITED if rate is None else rate, *minutes])
        self.meters = [meter for meter in meters if meter.budget.period is not Period.MINUTE]

    @property
    def room(self) -> float:
        return min((meter.room for meter in self.meters), default=float("inf"))


class _Flow:
    """Lanes and what they share, from one instant on."""

    def __init__(self, lanes: Sequence[Lane], shared: Iterable[Use], per_text: float, start: Instant) -> None:
        self._lanes = [_Pipe(lane.rate, [_Meter(use, per_text, start) for use in lane.uses]) for lane in lanes]
        self._shared = _Pipe(None, [_Meter(use, per_text, start) for use in shared])
        self._meters = [meter for pipe in (*self._lanes, self._shared) for meter in pipe.meters]
        self._steps = 0

    def run(self, remaining: float, span: Span) -> tuple[float, Instant | None]:
        """Let it flow for one span: what remains at its end, and when nothing did, if that came to pass."""
        now = span.opens_at
        while remaining > _DUST and now < span.closes_at and self._steps < _MOST_STEPS:
            self._steps += 1
            for meter in self._meters:
                meter.renew(now)
            end = min([span.closes_at, *(meter.ends_at for meter in self._meters)])
            speeds = [pipe.rate if pipe.room > _DUST else 0.0 for pipe in self._lanes]
            speed = sum(speeds)
            cap = self._shared.rate if self._shared.room > _DUST else 0.0
            share = min(1.0, cap / speed) if speed else 0.0
            if share == 0.0:
                now = end
                continue
            speeds = [each * share for each in speeds]
            lasts = self._lasts(speeds, remaining, (end - now) / SECOND)
            for pipe, each in zip(self._lanes, speeds, strict=True):
                _spend(pipe, each * lasts)
            _spend(self._shared, sum(speeds) * lasts)
            remaining -= sum(speeds) * lasts
            now = min(end, Instant(now + max(1, round(lasts * SECOND))))
        return remaining, now if remaining <= _DUST else None

    def _lasts(self, speeds: Sequence[float], remaining: float, most: float) -> float:
        """Seconds until the backlog, a room or the time is used up."""
        speed = sum(speeds)
        rooms = [pipe.room / each for pipe, each in zip(self._lanes, speeds, strict=True) if each]
        return min(most, remaining / speed, self._shared.room / speed, *rooms)


def _spend(pipe: _Pipe, segments: float) -> None:
    for meter in pipe.meters:
        meter.room = max(0.0, meter.room - segments)


def _open(weekly: Weekly | None, start: Instant) -> Iterable[Span]:
    """The open times within the horizon."""
    end = Instant(start + HORIZON_DAYS * _DAY)
    if weekly is None:
        return [Span(start, end)]
    spans = weekly.spans(start, HORIZON_DAYS)
    return (Span(span.opens_at, min(end, span.closes_at)) for span in spans if span.opens_at < end)


def _cut(span: Span, at: Instant | None) -> list[Span]:
    """A span, in two where the validity ends within it."""
    if at is None or not span.opens_at < at < span.closes_at:
        return [span]
    return [Span(span.opens_at, at), Span(at, span.closes_at)]


def _whole(left: float | None, backlog: int) -> int:
    """Segments, rounded up but for what floating-point sums leave."""
    return 0 if left is None else min(backlog, -int(-(left - _DUST) // 1)) if left > _DUST else 0
