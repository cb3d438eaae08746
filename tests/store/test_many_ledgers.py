"""Ledgers read together, and counts taken from them."""

from pathlib import Path

import sqlalchemy as sa

from opengage.domain.ledger import Moves
from opengage.domain.states import Reason
from opengage.ids import new_id
from opengage.store import ledgers, migrations
from opengage.store.sqlite import SqliteStore


def opened(folder: Path) -> SqliteStore:
    """A migrated store."""
    path = folder / "opengage.sqlite"
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    return SqliteStore(path)


async def test_many_ledgers_at_once(tmp_path: Path) -> None:
    """Each as it would be read alone, whatever their number; those that count nothing are zeros."""
    store = opened(tmp_path)
    ids = [new_id() for _ in range(5)]
    moves = Moves()
    for number, id_ in enumerate(ids[1:], 1):
        moves.arrive(1, id_, Reason.NONE, number)
        moves.arrive(1, id_, Reason.SENT)
    async with store.writing() as tx:
        await ledgers.move(tx, moves)
    async with store.reading() as tx:
        found = await ledgers.read_many(tx, 1, ids)
        alone = {id_: await ledgers.read(tx, 1, id_) for id_ in ids}
        counts = [await ledgers.count(tx, 1, ids[4]), await ledgers.count(tx, 1), await ledgers.count(tx, 2)]
        none = await ledgers.read_many(tx, 1, [])
    await store.close()
    assert found == alone
    assert [found[id_].total for id_ in ids] == [0, 2, 3, 4, 5]
    assert none == {}
    assert counts == [5, 14, 0]
