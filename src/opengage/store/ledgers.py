"""The ledger's rows: counts that move in the transaction of the envelopes they count."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.ledger import Dimension, Ledger, Moves, balance
from opengage.domain.states import CLOSED, STATUS_OF, EngagementStatus, Reason
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Rows, Transaction

_DETAILS: Final = (
    sa.select(tables.ledger_details.c.key, tables.ledger_details.c.count)
    .where(
        tables.ledger_details.c.account_id == sa.bindparam("account_id"),
        tables.ledger_details.c.engagement_id == sa.bindparam("engagement_id"),
        tables.ledger_details.c.dimension == sa.bindparam("dimension"),
    )
    .order_by(tables.ledger_details.c.key)
)

_ALL_DETAILS: Final = (
    sa.select(tables.ledger_details.c.dimension, tables.ledger_details.c.key, tables.ledger_details.c.count)
    .where(
        tables.ledger_details.c.account_id == sa.bindparam("account_id"),
        tables.ledger_details.c.engagement_id == sa.bindparam("engagement_id"),
    )
    .order_by(tables.ledger_details.c.dimension, tables.ledger_details.c.key)
)

_READ: Final = sa.select(tables.ledger.c.reason, tables.ledger.c.count).where(
    tables.ledger.c.account_id == sa.bindparam("account_id"),
    tables.ledger.c.engagement_id == sa.bindparam("engagement_id"),
)

_COUNT: Final = sa.select(sa.func.coalesce(sa.func.sum(tables.ledger.c.count), 0)).where(
    tables.ledger.c.account_id == sa.bindparam("account_id")
)

_MANY: Final = 512
"""Engagements asked for in one statement, at most."""

_AT_ONCE: Final = 16
"""Counts moved in one statement, at most: a batch of one engagement moves fewer."""

# Who texts or adds holds the engagement first and then its ledger. Here it comes last, so nobody is waited for: an
# engagement that somebody holds is completed by whoever comes next, the scheduler at the latest.
_FREE: Final = (
    sa.select(tables.engagements.c.id)
    .where(
        tables.engagements.c.account_id == sa.bindparam("account_id"),
        tables.engagements.c.id == sa.bindparam("id"),
        tables.engagements.c.status == EngagementStatus.PROCESSING.value,
    )
    .with_for_update(key_share=True, skip_locked=True)
)

_COMPLETE: Final = (
    sa.update(tables.engagements)
    .where(
        tables.engagements.c.account_id == sa.bindparam("key_account_id"),
        tables.engagements.c.id == sa.bindparam("key_id"),
        tables.engagements.c.status == EngagementStatus.PROCESSING.value,
    )
    .values(status=EngagementStatus.COMPLETED.value, completed_at=sa.bindparam("now"), updated_at=sa.bindparam("now"))
)


@cache
def _addition(table: str, keys: tuple[str, ...], count: int) -> sa.TextClause:
    """Add to so many counts of a table, and tell how they stand; both databases spell it like this."""
    names = (*keys, "count")
    rows = ", ".join(f"({', '.join(f':{name}_{at}' for name in names)})" for at in range(count))
    return sa.text(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES {rows}"  # noqa: S608 - our names
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET count = {table}.count + excluded.count"
        f" RETURNING {', '.join(f'{table}.{name}' for name in names)}"
    )


@cache
def _read_many(count: int) -> sa.CompoundSelect[Any]:
    """Counts by reason, and without one how many of the ended had left."""
    ledger, details = tables.ledger.c, tables.ledger_details.c
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(count)]
    counts = sa.select(ledger.engagement_id, ledger.reason, ledger.count).where(
        ledger.account_id == sa.bindparam("account_id"), ledger.engagement_id.in_(wanted)
    )
    ended = sa.select(
        details.engagement_id, sa.cast(sa.null(), sa.Text), sa.cast(sa.func.sum(details.count), sa.BigInteger)
    ).where(
        details.account_id == sa.bindparam("account_id"),
        details.engagement_id.in_(wanted),
        details.dimension == Dimension.ENDED.value,
    )
    return counts.union_all(ended.group_by(details.engagement_id))


async def move(tx: Transaction, moves: Moves) -> set[tuple[int, Id]]:
    """Apply one batch's moves, and what else was counted; which engagements surely have something to do still.

    The places come last: senders and recorders both move them, and wait for each other from there to the commit.
    """
    details = [(*key, dimension.value, name, count) for *key, dimension, name, count in moves.details()]
    await _add(tx, "ledger_details", ("account_id", "engagement_id", "dimension", "key"), details)
    changes = [(*key, reason.value, count) for *key, reason, count in moves.changes()]
    counts = await _add(tx, "ledger", ("account_id", "engagement_id", "reason"), changes)
    return {
        (account_id, engagement_id)
        for account_id, engagement_id, reason, count in counts
        if count and STATUS_OF[Reason(reason)] not in CLOSED
    }


async def _add(tx: Transaction, table: str, keys: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> Rows:
    """Rows of a key and a difference, in their order; how their counts stand then."""
    counts: Rows = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        named = {
            f"{name}_{at}": value
            for at, row in enumerate(some)
            for name, value in zip((*keys, "count"), row, strict=True)
        }
        counts += await tx.rows(_addition(table, keys, len(some)), **named)
    return counts


async def details(tx: Transaction, account_id: int, engagement_id: Id, dimension: Dimension) -> dict[str, int]:
    """What was counted of one engagement beside its places, in one dimension: its keys in order, with their counts."""
    key = {"account_id": account_id, "engagement_id": engagement_id, "dimension": dimension.value}
    return dict(await tx.rows(_DETAILS, **key))


async def all_details(tx: Transaction, account_id: int, engagement_id: Id) -> dict[Dimension, dict[str, int]]:
    """The same in every dimension."""
    found: dict[Dimension, dict[str, int]] = {dimension: {} for dimension in Dimension}
    for dimension, key, count in await tx.rows(_ALL_DETAILS, account_id=account_id, engagement_id=engagement_id):
        # a newer version that runs beside this one may count more
        if dimension in found:
            found[Dimension(dimension)][key] = count
    return found


async def read(tx: Transaction, account_id: int, engagement_id: Id) -> Ledger:
    """The ledger of one engagement."""
    rows = await tx.rows(_READ, account_id=account_id, engagement_id=engagement_id)
    return balance([(Reason(reason), count) for reason, count in rows])


async def count(tx: Transaction, account_id: int, engagement_id: Id | None = None) -> int:
    """How many envelopes an account or one of its engagements has, without looking at any of them."""
    if engagement_id is None:
        rows = await tx.rows(_COUNT, account_id=account_id)
        return int(rows[0][0])
    return (await read(tx, account_id, engagement_id)).total


async def read_many(tx: Transaction, account_id: int, engagement_ids: Sequence[Id]) -> dict[Id, Ledger]:
    """The ledgers of several engagements; one that counts nothing is all zeros."""
    counts: dict[Id, list[tuple[Reason, int]]] = {id_: [] for id_ in engagement_ids}
    ended: dict[Id, int] = {}
    for start in range(0, len(engagement_ids), _MANY):
        some = list(engagement_ids[start : start + _MANY])
        # padded to a power of two, so that only a few statements are ever compiled
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        named = {f"id_{place}": id_ for place, id_ in enumerate(some)}
        for id_, reason, count in await tx.rows(_read_many(len(some)), account_id=account_id, **named):
            if reason is None:
                ended[id_] = count
            else:
                counts[id_].append((Reason(reason), count))
    return {id_: msgspec.structs.replace(balance(pairs), ended=ended.get(id_, 0)) for id_, pairs in counts.items()}


async def move_and_complete(tx: Transaction, moves: Moves, now: Instant) -> list[Id]:
    """Apply one batch's moves, and complete every engagement that they leave with nothing to do; their ids."""
    goes_on = await move(tx, moves)
    done = []
    for account_id, engagement_id in moves.nearer_their_end():
        if (account_id, engagement_id) in goes_on or not await _hold_settled(tx, account_id, engagement_id):
            continue
        if await tx.run(_COMPLETE, key_account_id=account_id, key_id=engagement_id, now=now):
            done.append(engagement_id)
    return done


async def _hold_settled(tx: Transaction, account_id: int, engagement_id: Id) -> bool:
    """Whether an engagement is settled and stays so: who would add to it waits from here to the transaction's end.

    It is looked at before, too, for most have something to do still, and need not be held to say so.
    """
    if not (await read(tx, account_id, engagement_id)).is_settled:
        return False
    held = await tx.rows(_FREE, account_id=account_id, id=engagement_id)
    return bool(held) and (await read(tx, account_id, engagement_id)).is_settled
