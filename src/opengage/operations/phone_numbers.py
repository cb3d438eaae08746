"""Phone numbers: the senders of an account, bought or registered with a carrier beforehand.

Step 3 of a text's path: each number is a lane of its own.
"""

import math
from typing import Any, Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import PhoneNumber, ServiceProfile
from opengage.ids import Id, NewId
from opengage.operations import audit, fields
from opengage.operations.actors import Actor, require_owner
from opengage.operations.reading import hold_only, load
from opengage.store import lanes, references, rows
from opengage.store.contract import Store, Transaction, Violation

TYPE: Final = "phone-numbers"
NOUN: Final = "phone number"
_PROFILE: Final = "/data/relationships/service-profile"
_UNSET: Final = msgspec.UNSET


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is. `rate` is segments per second, None for no limit."""

    label: str | msgspec.UnsetType | None = _UNSET
    rate: float | msgspec.UnsetType | None = _UNSET
    is_active: bool | msgspec.UnsetType = _UNSET
    budgets: str | msgspec.UnsetType | None = _UNSET
    """The JSON of a list of budgets."""
    service_profile_id: Id | msgspec.UnsetType = _UNSET


async def create(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, *, phone_number: str, changes: Changes
) -> PhoneNumber:
    """A new sender, on the account's only active service profile unless one is named. Raises Invalid, Forbidden."""
    require_owner(actor)
    problems: list[Problem] = []
    canonical = fields.number("phone-number", phone_number, problems)
    values = _values(changes, problems)
    now = clock.now()
    try:
        async with store.writing() as tx:
            profile_id = await _profile(tx, actor, changes.service_profile_id, problems)
            if canonical and await rows.first(tx, PhoneNumber, account_id=actor.account_id, phone_number=canonical):
                problems.append(_taken(canonical))
            fields.refuse(problems)
            number = PhoneNumber(
                account_id=actor.account_id,
                id=new_id(),
                created_at=now,
                updated_at=now,
                phone_number=canonical,
                **values | {"service_profile_id": profile_id},
            )
            await rows.insert(tx, number)
            await audit.note(tx, now, new_id, actor, "create", TYPE, number)
    except Violation as error:  # somebody else was faster
        raise Invalid([_taken(canonical)]) from error
    return number


async def update(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, changes: Changes
) -> PhoneNumber:
    """Change how a number sends, or switch it on or off. Raises NotFound, Invalid, Forbidden."""
    require_owner(actor)
    async with store.writing() as tx:
        number = await load(tx, actor, PhoneNumber, id_, NOUN)
        problems: list[Problem] = []
        values = _values(changes, problems)
        if changes.service_profile_id is not _UNSET:
            values["service_profile_id"] = await _profile(tx, actor, changes.service_profile_id, problems)
        fields.refuse(problems)
        values = {name: value for name, value in values.items() if value != getattr(number, name)}
        if not values:
            return number
        now = clock.now()
        await audit.note(tx, now, new_id, actor, "update", TYPE, number, changed=sorted(values))
        return await rows.change(tx, number, **values, updated_at=now)


async def delete(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None) -> None:
    """Remove a number that nothing points at; switch off one that an activity or a text has.

    Raises NotFound, Forbidden.
    """
    require_owner(actor)
    async with store.writing() as tx:
        if id_ is not None:
            await lanes.hold_with_number(tx, actor.account_id, id_)
        number = await load(tx, actor, PhoneNumber, id_, NOUN)
        now = clock.now()
        if await references.to_number(tx, actor.account_id, number.id):
            if number.is_active:
                await rows.change(tx, number, is_active=False, updated_at=now)
                await audit.note(tx, now, new_id, actor, "switch-off", TYPE, number)
            return
        await references.forget_lane(tx, actor.account_id, number.id)
        await rows.delete(tx, number)
        await audit.note(tx, now, new_id, actor, "delete", TYPE, number)


def _values(changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    """The columns that the plain attributes write."""
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not _UNSET}
    if given.get("label") is not None:
        fields.label("label", given["label"], problems)
    if given.get("budgets") is not None:
        fields.budget_list(given["budgets"], problems)
    rate = given.get("rate")
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        detail = "“rate” is segments per second: give a number above 0, or null for no limit."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/rate"))
    return given


async def _profile(tx: Transaction, actor: Actor, id_: Id | msgspec.UnsetType, problems: list[Problem]) -> Id | None:
    """The service profile that is named, or the only active one; nobody deletes it before this transaction ends."""
    if id_ is _UNSET:
        active = await hold_only(tx, actor, ServiceProfile)
        if len(active) != 1:
            detail = (
                f"The account has {'several' if active else 'no'} active service profiles. "
                "Name the one that the number is on."
            )
            problems.append(Problem(Code.REQUIRED, detail, _PROFILE))
            return None
        return active[0].id
    if not await rows.hold(tx, ServiceProfile, actor.account_id, [id_], shared=True):
        problems.append(fields.unknown("service-profile", "service profile"))
        return None
    return id_


def _taken(number: str) -> Problem:
    detail = f"The account has {number} already. Change that phone number, or switch it on again."
    return Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/phone-number")
