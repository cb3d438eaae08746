"""Memberships: who has a place in an account, and what they may do there.

Step 3 of a text's path, before it: every token speaks for one of them. They are switched off, never removed: what
they wrote names them.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Problem
from opengage.domain.records import Account, Membership
from opengage.ids import Id, NewId
from opengage.operations import audit, fields
from opengage.operations.actors import OWNER, ROLES, Actor, require_owner
from opengage.operations.reading import load
from opengage.store import rows
from opengage.store.contract import Store, Transaction

TYPE: Final = "memberships"
NOUN: Final = "membership"


class Shown(msgspec.Struct, frozen=True):
    """A membership, and the id of the account that it is in."""

    membership: Membership
    account_id: Id


async def show(tx: Transaction, account_id: int, members: Sequence[Membership]) -> list[Shown]:
    """These memberships with their account, in one statement more."""
    account = await rows.first(tx, Account, account_id=account_id)
    assert account is not None, "members have an account"
    return [Shown(member, account.id) for member in members]


async def create(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, *, name: str, role: str, is_active: bool = True
) -> Shown:
    """A place for somebody; POST /api-tokens gives them a token. Raises Invalid, Forbidden."""
    require_owner(actor)
    problems: list[Problem] = []
    _check(name, role, problems)
    fields.refuse(problems)
    now = clock.now()
    member = Membership(
        account_id=actor.account_id,
        id=new_id(),
        created_at=now,
        updated_at=now,
        name=name,
        role=role,
        is_active=is_active,
    )
    async with store.writing() as tx:
        await rows.insert(tx, member)
        await audit.note(tx, now, new_id, actor, "create", TYPE, member, role=role)
        return (await show(tx, actor.account_id, [member]))[0]


async def update(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    id_: Id | None,
    *,
    name: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
) -> Shown:
    """Change what somebody may do, or switch them and their tokens off; None leaves as it is.

    Raises NotFound, Invalid (also when no active owner would be left), Forbidden.
    """
    require_owner(actor)
    async with store.writing() as tx:
        await _one_at_a_time(tx, actor)
        member = await load(tx, actor, Membership, id_, NOUN)
        problems: list[Problem] = []
        asked: dict[str, Any] = {"name": name, "role": role, "is_active": is_active}
        values = {key: each for key, each in asked.items() if each is not None and each != getattr(member, key)}
        _check(values.get("name", "name"), values.get("role", OWNER), problems)
        fields.refuse(problems)
        if not values:
            return (await show(tx, actor.account_id, [member]))[0]
        now = clock.now()
        changed = await rows.change(tx, member, **values, updated_at=now)
        await _require_an_owner(tx, actor)
        told = {key: each for key, each in values.items() if key != "name"}
        await audit.note(tx, now, new_id, actor, "update", TYPE, member, changed=sorted(values), **told)
        return (await show(tx, actor.account_id, [changed]))[0]


def _check(name: str, role: str, problems: list[Problem]) -> None:
    fields.name(name, problems)
    fields.word("role", role, ROLES, problems)


async def _one_at_a_time(tx: Transaction, actor: Actor) -> None:
    """Two owners who demote each other at the same moment must not both succeed."""
    account = await rows.first(tx, Account, account_id=actor.account_id)
    assert account is not None, "an actor has an account"
    await rows.find(tx, Account, actor.account_id, account.id, lock=True)


async def _require_an_owner(tx: Transaction, actor: Actor) -> None:
    if await rows.first(tx, Membership, account_id=actor.account_id, role=OWNER, is_active=True) is None:
        raise fields.illegal("No active owner would be left in the account. Make somebody else an owner first.")
