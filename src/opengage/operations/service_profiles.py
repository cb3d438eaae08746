"""Service profiles: the carrier connections of an account.

Step 3 of a text's path. An address and its password are written and never shown again.
"""

from typing import Any, Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import PhoneNumber, ServiceProfile
from opengage.ids import Id, NewId
from opengage.operations import audit, fields, smsc_address
from opengage.operations.actors import Actor, require_owner
from opengage.operations.reading import hold, load
from opengage.operations.sealed_secrets import seal_password
from opengage.sealing import Sealer
from opengage.store import references, rows
from opengage.store.contract import Store, Transaction

TYPE: Final = "service-profiles"
NOUN: Final = "service profile"
SANDBOX, SMPP = "sandbox", "smpp"
KINDS: Final = (SANDBOX, SMPP)
HOLD, RESEND = "hold", "resend"
_SECRETS: Final = ("url", "password")
_UNSET: Final = msgspec.UNSET


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is. None goes back to the default."""

    name: str | msgspec.UnsetType = _UNSET
    kind: str | msgspec.UnsetType = _UNSET
    url: str | msgspec.UnsetType | None = _UNSET
    """smpp://SYSTEM_ID:PASSWORD@HOST:PORT[?ids=FORM]; the password may come by itself instead."""
    password: str | msgspec.UnsetType | None = _UNSET
    window: int | msgspec.UnsetType | None = _UNSET
    binds: int | msgspec.UnsetType | None = _UNSET
    receipt_window_seconds: int | msgspec.UnsetType | None = _UNSET
    in_doubt_policy: str | msgspec.UnsetType | None = _UNSET
    budgets: str | msgspec.UnsetType | None = _UNSET
    """The JSON of a list of budgets."""
    is_active: bool | msgspec.UnsetType = _UNSET
    fallback_id: Id | msgspec.UnsetType | None = _UNSET


async def create(
    store: Store, clock: Clock, new_id: NewId, sealer: Sealer, actor: Actor, changes: Changes
) -> ServiceProfile:
    """A new connection of kind `sandbox` or `smpp`. Raises Invalid with every problem, Forbidden."""
    require_owner(actor)
    problems: list[Problem] = []
    kind = "" if changes.kind is _UNSET else changes.kind
    fields.word("kind", kind, KINDS, problems)
    now = clock.now()
    profile = ServiceProfile(
        account_id=actor.account_id, id=new_id(), created_at=now, updated_at=now, name="", kind=kind
    )
    fields.name("" if changes.name is _UNSET else changes.name, problems)
    async with store.writing() as tx:
        values = await _values(tx, profile, changes, problems)
        if kind == SMPP and changes.url in (_UNSET, None):
            detail = "A profile of kind “smpp” needs its SMSC: add “url”, as smpp://SYSTEM_ID:PASSWORD@HOST:PORT."
            problems.append(Problem(Code.REQUIRED, detail, "/data/attributes/url"))
        fields.refuse(problems)
        profile = msgspec.structs.replace(profile, **_sealed(sealer, profile, values))
        await rows.insert(tx, profile)
        await audit.note(tx, now, new_id, actor, "create", TYPE, profile)
    return profile


async def update(
    store: Store, clock: Clock, new_id: NewId, sealer: Sealer, actor: Actor, id_: Id | None, changes: Changes
) -> ServiceProfile:
    """Change a connection; its kind stays. Raises NotFound, Invalid with every problem, Forbidden."""
    require_owner(actor)
    async with store.writing() as tx:
        await _hold_with_fallback(tx, actor, id_, changes)
        profile = await load(tx, actor, ServiceProfile, id_, NOUN)
        problems: list[Problem] = []
        if changes.name not in (_UNSET, profile.name):
            fields.name(str(changes.name), problems)
        if changes.kind not in (_UNSET, profile.kind):
            detail = f"A service profile stays “{profile.kind}”. Make another one for another kind."
            problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/kind"))
        values = await _values(tx, profile, changes, problems)
        fields.refuse(problems)
        values = {name: value for name, value in values.items() if value != getattr(profile, name)}
        if not values:
            return profile
        now = clock.now()
        await audit.note(tx, now, new_id, actor, "update", TYPE, profile, changed=sorted(values))
        return await rows.change(tx, profile, **_sealed(sealer, profile, values), updated_at=now)


def _sealed(sealer: Sealer, profile: ServiceProfile, values: dict[str, Any]) -> dict[str, Any]:
    """The columns as they may be stored: a password that was given is sealed, one that is kept is so already."""
    password = values.get("password")
    if not password or password == profile.password:
        return values
    return values | {"password": seal_password(sealer, profile.id, password)}


async def delete(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None) -> None:
    """Remove a connection that nothing points at; switch off one that texts went over.

    Raises NotFound, Forbidden, Invalid as long as an active phone number is on it or another profile falls back on it.
    """
    require_owner(actor)
    async with store.writing() as tx:
        profile = await hold(tx, actor, ServiceProfile, id_, NOUN)
        on_it = {"account_id": actor.account_id, "service_profile_id": profile.id, "is_active": True}
        if number := await rows.first(tx, PhoneNumber, **on_it):
            raise fields.illegal(f"{number.phone_number} is on this service profile. Move it or switch it off first.")
        if other := await rows.first(tx, ServiceProfile, account_id=actor.account_id, fallback_id=profile.id):
            raise fields.illegal(f"“{other.name[:40]}” falls back on this service profile. Change that first.")
        now = clock.now()
        if await references.to_profile(tx, actor.account_id, profile.id):
            if profile.is_active:
                await rows.change(tx, profile, is_active=False, updated_at=now)
                await audit.note(tx, now, new_id, actor, "switch-off", TYPE, profile)
            return
        await rows.delete(tx, profile)
        await audit.note(tx, now, new_id, actor, "delete", TYPE, profile)


async def _values(
    tx: Transaction, profile: ServiceProfile, changes: Changes, problems: list[Problem]
) -> dict[str, Any]:
    """The columns that a change writes."""
    values = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not _UNSET}
    policy = values.get("in_doubt_policy")
    if policy is not None:
        fields.word("in-doubt-policy", policy, (HOLD, RESEND), problems)
        values["in_doubt_policy"] = RESEND if policy == RESEND else None
    if values.get("budgets") is not None:
        fields.budget_list(values["budgets"], problems)
    values |= _address(profile, values, problems)
    if values.get("fallback_id") is not None:
        await _check_fallback(tx, profile, values["fallback_id"], problems)
    return values


def _address(profile: ServiceProfile, values: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Address and password as they are kept: apart. An address without a password keeps the one that is there."""
    given = [name for name in _SECRETS if values.get(name) is not None]
    if profile.kind != SMPP:
        problems.extend(
            Problem(
                Code.NOT_ALLOWED_VALUE,
                f"“{name}” is for kind “{SMPP}”; this one finds its simulator by itself. Leave it out.",
                f"/data/attributes/{name}",
            )
            for name in given
            if profile.kind == SANDBOX
        )
        return {}
    if "url" in values and values["url"] is None:
        detail = "A profile of kind “smpp” needs its SMSC: send “url”, or leave it out to keep the one it has."
        problems.append(Problem(Code.REQUIRED, detail, "/data/attributes/url"))
    found: dict[str, Any] = {}
    if "url" in given and (smsc := smsc_address.read(values["url"], problems, "/data/attributes/url")):
        found = {"url": smsc.url, "password": smsc.password or profile.password or ""}
    if "password" in values:
        found["password"] = values["password"] or ""
        smsc_address.password(found["password"], problems, "/data/attributes/password")
    return found


async def _hold_with_fallback(tx: Transaction, actor: Actor, id_: Id | None, changes: Changes) -> None:
    """Hold a profile together with the one that it is to fall back on.

    In the order of their ids: two that are made to fall back on each other would wait for each other for ever.
    """
    ids = [each for each in (id_, changes.fallback_id) if isinstance(each, bytes)]
    await rows.hold(tx, ServiceProfile, actor.account_id, ids)


async def _check_fallback(tx: Transaction, profile: ServiceProfile, id_: Id, problems: list[Problem]) -> None:
    if id_ == profile.id:
        detail = "A service profile cannot fall back on itself. Name another one, or null for none."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/relationships/fallback"))
    elif not await rows.hold(tx, ServiceProfile, profile.account_id, [id_], shared=True):
        problems.append(fields.unknown("fallback", "service profile"))
