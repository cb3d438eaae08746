"""Which number of a sender pool texts whom: asked by `dispatch.sender` when it takes envelopes of an engagement with
several numbers, once for each recipient; what was chosen is kept with the envelope.

A person is texted from the number that texted them before, as long as it can send; else from one of their own area, of
their own country, or from any, and of several from the one that is least loaded. The same facts give the same choice.
"""

from collections.abc import Iterable, Sequence

import msgspec

from opengage.domain.phone_numbers import area_code, region
from opengage.ids import Id


class Candidate(msgspec.Struct, frozen=True):
    """A number of the pool; see `candidate` for how to make one."""

    id: Id
    number: str
    country: str | None
    """ISO 3166, as `phone_numbers.region` gives it; None for what is no E.164 number, such as a short code."""
    area: str | None
    """The area code, in North America."""
    load: float
    """Seconds until it could send something new: what waits for it over its rate. Any measure will do that is the same
    for all candidates."""
    is_healthy: bool = True
    cost: float = 1.0
    """What one more text adds to `load`."""


def candidate(id_: Id, number: str, load: float, *, is_healthy: bool = True, cost: float = 1.0) -> Candidate:
    """A number of the pool, with the country and the area that its digits tell."""
    country = region(number) if number.startswith("+") else None
    return Candidate(id_, number, country, area_code(number), load, is_healthy, cost)


def choose(recipient: str, candidates: Iterable[Candidate], sticky_id: Id | None = None) -> Id | None:
    """The number that texts this recipient; None when no candidate can send.

    `sticky_id` is the number that texted them last. Recipients are canonical E.164.
    """
    healthy = [each for each in candidates if each.is_healthy]
    chosen = _best(recipient, healthy, {each.id: each.load for each in healthy}, sticky_id)
    return chosen.id if chosen else None


def choose_all(recipients: Sequence[tuple[str, Id | None]], candidates: Iterable[Candidate]) -> list[Id | None]:
    """One choice for each (recipient, sticky id), in order; each adds to the load that the next one sees."""
    healthy = [each for each in candidates if each.is_healthy]
    loads = {each.id: each.load for each in healthy}
    choices: list[Id | None] = []
    for recipient, sticky_id in recipients:
        chosen = _best(recipient, healthy, loads, sticky_id)
        if chosen is not None:
            loads[chosen.id] += chosen.cost
        choices.append(chosen.id if chosen else None)
    return choices


def _best(
    recipient: str, healthy: Sequence[Candidate], loads: dict[Id, float], sticky_id: Id | None
) -> Candidate | None:
    if len(healthy) > 1 and sticky_id not in loads:
        country, area = region(recipient), area_code(recipient)
        return min(healthy, key=lambda each: (_distance(each, country, area), loads[each.id], each.id))
    return next((each for each in healthy if each.id == sticky_id), healthy[0] if healthy else None)


def _distance(each: Candidate, country: str | None, area: str | None) -> int:
    """0 in the same area, 1 in the same country, 2 elsewhere."""
    if area is not None and each.area == area:
        return 0
    return 1 if country is not None and each.country == country else 2
