"""What a client may change of an engagement, each value checked: when it goes out, how fast, and when it must stop.

Step 3 of a text's path. The status is another matter: see `scheduling`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Instant
from opengage.domain import local_time, weekly
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import Engagement
from opengage.ids import Id
from opengage.jsonapi.timestamps import from_text
from opengage.operations import fields

IMMEDIATELY, SCHEDULED, LOCAL_TIME = "immediately", "scheduled", "local-time"
MOST_NUMBERS: Final = 100
"""Phone numbers of one sender pool."""
_UNSET = msgspec.UNSET

LIMITS: Final = {
    "queue_batch_limit": (1, 1_000_000),
    "queue_throttle_hour_limit": (1, 1_000_000_000),
    "queue_throttle_day_limit": (1, 1_000_000_000),
    "undo_seconds": (0, 86_400),
    "validity_seconds": (60, 2_592_000),
    "canary_size": (1, 1_000_000),
    "canary_wait_seconds": (1, 86_400),
}
"""Whole numbers, from and to."""

_RATIOS: Final = ("canary_delivery_ratio", "pause_failure_ratio", "pause_opt_out_ratio")
_FLAGS: Final = ("is_archived", "queue_schedule_is_enabled")
_NEVER_NULL: Final = frozenset(("queue_batch_limit", *_FLAGS))


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants changed; what is left unset stays as it is, None takes a limit away."""

    name: str | msgspec.UnsetType = _UNSET
    direction: str | msgspec.UnsetType = _UNSET
    status: str | msgspec.UnsetType = _UNSET
    delivery_type: str | msgspec.UnsetType = _UNSET
    delivery_time: str | msgspec.UnsetType | None = _UNSET
    """An instant with its offset; a wall-clock time without one for `local-time`."""
    is_archived: bool | msgspec.UnsetType = _UNSET
    queue_batch_limit: int | msgspec.UnsetType = _UNSET
    queue_throttle_hour_limit: int | msgspec.UnsetType | None = _UNSET
    queue_throttle_day_limit: int | msgspec.UnsetType | None = _UNSET
    queue_schedule_is_enabled: bool | msgspec.UnsetType = _UNSET
    queue_schedule: Any = _UNSET
    undo_seconds: int | msgspec.UnsetType | None = _UNSET
    validity_seconds: int | msgspec.UnsetType | None = _UNSET
    canary_size: int | msgspec.UnsetType | None = _UNSET
    canary_wait_seconds: int | msgspec.UnsetType | None = _UNSET
    canary_delivery_ratio: float | msgspec.UnsetType | None = _UNSET
    pause_failure_ratio: float | msgspec.UnsetType | None = _UNSET
    pause_opt_out_ratio: float | msgspec.UnsetType | None = _UNSET
    phone_number_ids: list[Id] | msgspec.UnsetType = _UNSET
    """The sender pool."""
    list_ids: Sequence[Id] = ()
    """Whose contacts it addresses; none given changes nothing."""


def values(engagement: Engagement, changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """The columns that the plain attributes write; what is wrong with them is added to `problems`."""
    found: dict[str, Any] = {}
    if changes.name is not _UNSET and changes.name != engagement.name:
        fields.name(changes.name, problems)
        found["name"] = changes.name
    if changes.direction is not _UNSET:
        fields.direction(changes.direction, problems)
    for field in (*LIMITS, *_RATIOS, *_FLAGS):
        value = getattr(changes, field)
        if value is not _UNSET and value != getattr(engagement, field):
            _check(field, value, problems)
            found[field] = value
    found |= _schedule(changes, problems) | _delivery(engagement, changes, problems)
    found |= _canary(engagement, found, problems)
    if engagement.hold_reason is not None and found:
        # whatever held it may be gone: the next look tells
        found |= {"hold_reason": None, "hold_until": None}
    return found


def _check(field: str, value: Any, problems: list[Problem]) -> None:
    wire = field.replace("_", "-")
    if value is None:
        if field in _NEVER_NULL:
            _refuse(problems, wire, f"“{wire}” cannot be null. Give it a value, or leave it out.")
        return
    if field in _RATIOS and not 0 <= value <= 1:
        _refuse(problems, wire, f"“{wire}” is {value}. Give a share from 0 to 1, as 0.05 for one in twenty.")
    if field in LIMITS:
        least, most = LIMITS[field]
        if not least <= value <= most:
            _refuse(problems, wire, f"“{wire}” is {value}. Give a whole number from {least} to {most}.")


def _refuse(problems: list[Problem], attribute: str, detail: str) -> None:
    problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{attribute}"))


def _schedule(changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """The weekly hours, as their JSON text."""
    if changes.queue_schedule is _UNSET:
        return {}
    if changes.queue_schedule is None:
        return {"queue_schedule": None}
    try:
        weekly.parse(changes.queue_schedule)
    except Invalid as refusal:
        pointer = "/data/attributes/queue-schedule"
        problems += [
            msgspec.structs.replace(problem, pointer=pointer + (problem.pointer or "")) for problem in refusal.problems
        ]
        return {}
    return {"queue_schedule": msgspec.json.encode(changes.queue_schedule).decode()}


def _canary(engagement: Engagement, found: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """A canary is chosen before the blast begins: afterwards there is no first."""
    if "canary_size" not in found:
        return {}
    if engagement.started_at is not None:
        detail = "It has begun to go out: its canary can no longer be changed. Pause it instead."
        _refuse(problems, "canary-size", detail)
        return {}
    return {"canary_state": "waiting" if found["canary_size"] else None}


def _delivery(engagement: Engagement, changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """When it goes out: at once, from an instant on, or at the same hour wherever each recipient is."""
    if changes.delivery_type is _UNSET and changes.delivery_time is _UNSET:
        return {}
    kind = engagement.delivery_type if changes.delivery_type is _UNSET else changes.delivery_type
    before = (engagement.delivery_type, engagement.delivery_time, engagement.delivery_local_time)
    try:
        after = _when(engagement, kind, changes.delivery_time)
    except ValueError as error:
        attribute = "delivery-time" if kind in (SCHEDULED, LOCAL_TIME) else "delivery-type"
        _refuse(problems, attribute, str(error))
        return {}
    if after != before and engagement.started_at is not None:
        detail = "It has begun to go out: when it does can no longer be changed. Pause or cancel it instead."
        _refuse(problems, "delivery-type", detail)
        return {}
    if after == before:
        return {}
    return dict(zip(("delivery_type", "delivery_time", "delivery_local_time"), after, strict=True))


def _when(
    engagement: Engagement, kind: str, given: str | msgspec.UnsetType | None
) -> tuple[str, Instant | None, str | None]:
    """(type, instant, wall-clock time) of a delivery. Raises ValueError with what is wrong and its mending."""
    if kind == IMMEDIATELY:
        if given not in (_UNSET, None):
            raise ValueError(
                f"“delivery-time” is given, but “delivery-type” is “{IMMEDIATELY}”. Set it to “{SCHEDULED}”."
            )
        return IMMEDIATELY, None, None
    if kind == SCHEDULED:
        time = engagement.delivery_time if given is _UNSET else given and _instant(str(given))
        if not time:
            raise ValueError(f"“{SCHEDULED}” needs a “delivery-time”, as in 2026-12-01T09:00:00+00:00. Add it.")
        return SCHEDULED, Instant(time), None
    if kind == LOCAL_TIME:
        wall = engagement.delivery_local_time if given is _UNSET else given and _wall(str(given))
        if not wall:
            raise ValueError(
                f"“{LOCAL_TIME}” needs a “delivery-time” without offset, as in 2026-12-01T09:00:00. Add it."
            )
        return LOCAL_TIME, None, wall
    raise ValueError(
        f"“delivery-type” is “{kind[:40]}”. Use “{IMMEDIATELY}”, “{SCHEDULED}” with a “delivery-time”, or "
        f"“{LOCAL_TIME}” with one that has no offset."
    )


def _instant(text: str) -> Instant:
    """A delivery time must name an instant: wall-clock time without an offset names another one in every zone."""
    try:
        return Instant(from_text(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"“{text[:40]}” is no instant. Write date, time and offset, as in 2026-12-01T09:00:00+00:00; for the same "
            f"hour wherever each recipient is, set “delivery-type” to “{LOCAL_TIME}” and leave the offset out."
        ) from error


def _wall(text: str) -> str:
    try:
        return local_time.parse(text).isoformat()
    except local_time.InvalidWallTime as error:
        raise ValueError(f"“{text[:40]}” cannot be a “delivery-time” of “{LOCAL_TIME}”: {error}.") from error
