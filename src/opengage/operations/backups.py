"""Backup, restore, and the move from one database to another. Beside a text's path, and careful of it.

**A restore never resends.** Between a backup and its restore the old database may have gone on sending, and the backup
cannot know. So whatever was under way in it is in doubt afterwards, whatever was due waits until an operator has looked
(its engagement is paused, or a draft again), and no policy sends anything again by itself. A move is no such gap: it is
made while nothing runs, and so changes no state.
"""

from typing import IO, Any, Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Conflict, Unavailable
from opengage.domain.states import EngagementStatus, TextEvent, TextStatus
from opengage.ids import Id, NewId, to_wire
from opengage.operations.settling import Settling
from opengage.store import dump_format, dumps, tables
from opengage.store.contract import Store, Transaction

PAUSED_BY: Final = "restored"
"""The `pause-reason` of what a restore has stopped, and the code of the texts that it has put in doubt."""

_BATCH: Final = 1000
_texts: Final = tables.texts
_MAY_HAVE_LEFT: Final = (
    sa.select(_texts.c.account_id, _texts.c.id)
    .where(
        sa.tuple_(_texts.c.account_id, _texts.c.id)
        > sa.tuple_(sa.bindparam("last_account", type_=sa.BigInteger), sa.bindparam("last_id", type_=sa.LargeBinary)),
        sa.or_(_texts.c.status == TextStatus.QUEUED.value, _texts.c.status == TextStatus.SENDING.value),
    )
    .order_by(_texts.c.account_id, _texts.c.id)
    .limit(_BATCH)
)
_PAUSE: Final = (
    sa.update(tables.engagements)
    .where(
        sa.or_(
            tables.engagements.c.status == EngagementStatus.PROCESSING.value,
            tables.engagements.c.status == EngagementStatus.PAUSED.value,
        )
    )
    .values(status=EngagementStatus.PAUSED.value, pause_reason=PAUSED_BY, updated_at=sa.bindparam("now"))
)
_UNSCHEDULE: Final = (
    sa.update(tables.engagements)
    .where(tables.engagements.c.status == EngagementStatus.SCHEDULED.value)
    .values(
        status=EngagementStatus.PENDING.value,
        scheduled_at=sa.null(),
        starts_at=sa.null(),
        updated_at=sa.bindparam("now"),
    )
)
_NO_POLICY: Final = (
    sa.update(tables.service_profiles)
    .where(tables.service_profiles.c.in_doubt_policy.is_not(None))
    .values(in_doubt_policy=sa.null(), updated_at=sa.bindparam("now"))
)


class Restored(msgspec.Struct, frozen=True):
    """What a restore came to, for the operator who goes on from there."""

    counts: dict[str, int]
    """Rows by table."""
    in_doubt: int = 0
    """Texts that may have left since the backup."""
    paused: int = 0
    """Engagements that were running or paused, and wait to be resumed."""
    unscheduled: int = 0
    """Engagements that were scheduled, and are drafts again."""
    policies: int = 0
    """Service profiles that would have sent again what is in doubt, and no longer do."""


async def backup(store: Store, clock: Clock, revision: str, made_by: str, stream: IO[bytes]) -> dict[str, int]:
    """Write everything onto a stream, as of one moment, while others go on; how many rows each table has."""
    writer = dump_format.Writer(stream, dump_format.Header(revision, clock.now(), made_by))
    async with store.reading() as tx:
        async for page in dumps.pages(tx):
            writer.page(page)
    return writer.end().counts


async def fill(store: Store, reader: dump_format.Reader) -> dict[str, int]:
    """Write a dump into an empty database, all of it or nothing, with every lane held. Raises Conflict, Unreadable."""
    async with store.writing() as tx:
        await dumps.require_empty(tx)
        for page in reader.pages():
            await dumps.load(tx, page)
        await dumps.hold_lanes(tx)
        await _require_balance(tx)
    return reader.counts


async def make_safe(store: Store, clock: Clock, new_id: NewId, counts: dict[str, int]) -> Restored:
    """Stop whatever a filled database would send though it may have been sent since, and let go of the lanes."""
    now = clock.now()
    async with store.writing() as tx:
        in_doubt = await _doubt(tx, now, new_id)
        restored = Restored(
            counts,
            in_doubt,
            paused=await tx.run(_PAUSE, now=now),
            unscheduled=await tx.run(_UNSCHEDULE, now=now),
            policies=await tx.run(_NO_POLICY, now=now),
        )
        await _require_balance(tx)
        await dumps.let_go(tx)
    return restored


async def _doubt(tx: Transaction, now: Instant, new_id: NewId) -> int:
    """Put every text in doubt that was under way, or waited for its next try; how many those are."""
    count, last = 0, {"last_account": -1, "last_id": b""}
    while found := await tx.rows(_MAY_HAVE_LEFT, **last):
        by_account: dict[int, list[Id]] = {}
        for account_id, id_ in found:
            by_account.setdefault(account_id, []).append(id_)
        settling = Settling(now, new_id, lambda: 0.0)
        for account_id, ids in by_account.items():
            texts: dict[Id, Any] = await tx.batches.texts(account_id, ids)
            count += sum(settling.apply(text, TextEvent.RESTORED, PAUSED_BY) for text in texts.values())
        await settling.write(tx)
        last = {"last_account": found[-1][0], "last_id": found[-1][1]}
    return count


async def move(source: Store, target: Store) -> dict[str, int]:
    """Copy everything into an empty database, all of it or nothing; how many rows each table has.

    Raises Conflict when a worker runs on the source, when the target is not empty, or when what has arrived is not what
    was there.
    """
    counts: dict[str, int] = {}
    async with source.reading() as old, target.writing() as new:
        await _require_rest(old)
        await dumps.require_empty(new)
        async for page in dumps.pages(old):
            await dumps.load(new, page)
            counts[page.table] = counts.get(page.table, 0) + len(page.rows)
        await dumps.hold_lanes(new)
        await dumps.let_go(new)
        await _require_counts(new, counts)
        await _require_balance(new)
    async with source.reading() as old:
        await _require_rest(old)
    return counts


async def _require_rest(tx: Transaction) -> None:
    if owner := await dumps.worker(tx):
        raise Conflict(
            f"The worker “{owner}” runs on the database that is to be moved. Stop every process of Opengage there "
            "first; after a crash, wait until its leases have run out."
        )


async def _require_counts(tx: Transaction, counts: dict[str, int]) -> None:
    """Raise Unavailable unless the tables hold so many rows each; lanes were added by ourselves."""
    for name, expected in counts.items():
        found = (await tx.rows(sa.select(sa.func.count()).select_from(tables.metadata.tables[name])))[0][0]
        if found != expected and name != tables.lanes.name:
            raise Unavailable(f"The table “{name}” has {found} rows of {expected}; nothing was kept. Move again.")


async def _require_balance(tx: Transaction) -> None:
    """Raise Conflict unless every ledger is what its envelopes come to."""
    if found := await dumps.unbalanced(tx):
        raise Conflict(
            f"The ledger of engagement {to_wire(found[1])} (account {found[0]}) is not what its envelopes come to. "
            "Nothing was kept: the data were changed by another program, or the copy was damaged. Use another copy."
        )
