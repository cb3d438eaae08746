"""Sender pools: the phone numbers of an engagement, how each one's lane is, and who takes whom."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contacts import chunks, named, placed
from opengage.store.contract import Transaction

_pool: Final = tables.engagement_numbers
_numbers: Final = tables.phone_numbers
_lanes: Final = tables.lanes
_envelopes: Final = tables.envelopes
_engagements: Final = tables.engagements

_MEMBERS: Final = (
    sa.select(
        _numbers.c.id,
        _numbers.c.phone_number,
        _numbers.c.is_active,
        _lanes.c.expires_at,
        _lanes.c.unhealthy_since,
        _lanes.c.under_way,
    )
    .select_from(
        _pool.join(
            _numbers, sa.and_(_numbers.c.account_id == _pool.c.account_id, _numbers.c.id == _pool.c.phone_number_id)
        ).outerjoin(
            _lanes,
            sa.and_(_lanes.c.account_id == _pool.c.account_id, _lanes.c.phone_number_id == _pool.c.phone_number_id),
        )
    )
    .where(_pool.c.account_id == sa.bindparam("account_id"), _pool.c.engagement_id == sa.bindparam("engagement_id"))
    .order_by(_pool.c.position, _pool.c.phone_number_id)
)


@cache
def _given(count: int) -> list[sa.ColumnElement[bool]]:
    """Envelopes that were given to so many numbers."""
    return [
        _envelopes.c.account_id == sa.bindparam("key_account_id"),
        _envelopes.c.engagement_id == sa.bindparam("key_engagement_id"),
        _envelopes.c.phone_number_id.in_(placed(count)),
        _envelopes.c.next_at.is_not(None),
    ]


@cache
def _hold(count: int) -> sa.Select[Any]:
    held = sa.select(_envelopes.c.id).where(*_given(count)).order_by(_envelopes.c.id).with_for_update(key_share=True)
    return sa.select(sa.func.count()).select_from(held.subquery())


@cache
def _release(count: int) -> sa.Update:
    return sa.update(_envelopes).where(*_given(count)).values(phone_number_id=sa.null())


_CLEAR: Final = sa.delete(_pool).where(
    _pool.c.account_id == sa.bindparam("key_account_id"), _pool.c.engagement_id == sa.bindparam("key_engagement_id")
)
_ADD: Final = sa.insert(_pool).values(
    account_id=sa.bindparam("account_id"),
    engagement_id=sa.bindparam("engagement_id"),
    phone_number_id=sa.bindparam("phone_number_id"),
    position=sa.bindparam("position"),
)

_MANY: Final = 512


@cache
def _of_many(count: int) -> sa.Select[Any]:
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(count)]
    return (
        sa.select(_pool.c.engagement_id, _pool.c.phone_number_id)
        .where(_pool.c.account_id == sa.bindparam("account_id"), _pool.c.engagement_id.in_(wanted))
        .order_by(_pool.c.position, _pool.c.phone_number_id)
    )


class Member(msgspec.Struct, frozen=True):
    """A phone number of a pool, and the state of its lane."""

    id: Id
    phone_number: str
    is_active: bool
    expires_at: Instant | None
    unhealthy_since: Instant | None
    under_way: int | None

    def is_healthy(self, now: Instant) -> bool:
        """Whether it is switched on, and its lane owned by somebody whose carrier takes texts."""
        owned = self.expires_at is not None and self.expires_at > now
        return bool(self.is_active) and owned and self.unhealthy_since is None


async def members(tx: Transaction, account_id: int, engagement_id: Id) -> list[Member]:
    """The pool of an engagement, in its order; empty where its activity's number is the only one."""
    return [Member(*row) for row in await tx.rows(_MEMBERS, account_id=account_id, engagement_id=engagement_id)]


async def release(tx: Transaction, account_id: int, engagement_id: Id, phone_number_ids: Sequence[Id]) -> int:
    """Take back what was given to these numbers and has not left: any other may take it. How many there were."""
    released = 0
    for some in chunks(phone_number_ids):
        key = {"key_account_id": account_id, "key_engagement_id": engagement_id, **named(some)}
        # in the order of their ids, as whoever edits some of them does
        await tx.rows(_hold(len(some)), **key)
        released += await tx.run(_release(len(some)), **key)
    return released


async def replace(tx: Transaction, account_id: int, engagement_id: Id, phone_number_ids: list[Id]) -> None:
    """Make these the pool of an engagement, in this order."""
    await tx.run(_CLEAR, key_account_id=account_id, key_engagement_id=engagement_id)
    for position, phone_number_id in enumerate(phone_number_ids):
        await tx.run(
            _ADD,
            account_id=account_id,
            engagement_id=engagement_id,
            phone_number_id=phone_number_id,
            position=position,
        )


async def of_many(tx: Transaction, account_id: int, engagement_ids: Sequence[Id]) -> dict[Id, list[Id]]:
    """The phone numbers of several engagements' pools, in order; none for those without a pool."""
    found: dict[Id, list[Id]] = {id_: [] for id_ in engagement_ids}
    for start in range(0, len(engagement_ids), _MANY):
        some = list(engagement_ids[start : start + _MANY])
        # padded to a power of two, so that only a few statements are ever compiled
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        named = {f"id_{place}": id_ for place, id_ in enumerate(some)}
        for engagement_id, phone_number_id in await tx.rows(_of_many(len(some)), account_id=account_id, **named):
            found[engagement_id].append(phone_number_id)
    return found
