"""One transaction around all that a request writes."""

from typing import Any

import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.errors import Changed, Unavailable
from opengage.domain.records import Membership
from opengage.store import rows, tables
from opengage.store.contract import Store, Transaction, Violation
from opengage.store.one_transaction import OneTransaction
from store.samples import ACCOUNT, id_of

COUNT = sa.select(sa.func.count()).select_from(tables.memberships)


def membership(number: int) -> Membership:
    """A row to write."""
    now = Instant(1)
    return Membership(account_id=ACCOUNT, id=id_of(number), created_at=now, updated_at=now, name="Ann", role="sender")


async def nothing(tx: Transaction) -> None:
    """Do nothing in the transaction."""


async def put(store: Any, number: int) -> None:
    """Write one row in a block of its own."""
    async with store.writing() as tx:
        await rows.insert(tx, membership(number))


async def count(store: Any) -> int:
    """How many rows this store sees."""
    async with store.reading() as tx:
        return int((await tx.rows(COUNT))[0][0])


async def test_blocks_are_written_together(store: Store) -> None:
    """Nobody else sees any of them before the commit; the request itself does."""
    one = OneTransaction(store, nothing)
    assert await count(one) == 0
    await put(one, 1)
    await put(one, 2)
    assert (await count(one), await count(store)) == (2, 0)
    await one.commit(nothing)
    assert await count(store) == 2


async def test_what_is_abandoned_was_never_there(store: Store) -> None:
    """Nothing is left, and the store can be written again."""
    one = OneTransaction(store, nothing)
    await put(one, 1)
    await one.abandon()
    await one.abandon()
    assert await count(store) == 0
    await put(store, 1)


async def test_the_first_part_decides(store: Store) -> None:
    """What raises there refuses the change, and each later one too."""

    async def refuse(tx: Transaction) -> None:
        raise Changed("no")

    one = OneTransaction(store, refuse)
    for _ in range(2):
        with pytest.raises(Changed):
            await put(one, 1)
    assert await count(store) == 0


async def test_the_last_part_decides_too(store: Store) -> None:
    """When what must be written with the change cannot be, the change is undone."""

    async def fail(tx: Transaction) -> None:
        await rows.insert(tx, membership(1))

    one = OneTransaction(store, nothing)
    await put(one, 1)
    with pytest.raises(Violation):
        await one.commit(fail)
    assert await count(store) == 0


async def test_a_violation_is_told_in_the_store_s_words(store: Store) -> None:
    """A block that breaks a constraint raises as in any store; another may follow while nothing is lost by it."""
    await put(store, 1)
    one = OneTransaction(store, nothing)
    with pytest.raises(Violation):
        await put(one, 1)
    await put(one, 2)
    await one.commit(nothing)
    assert await count(store) == 2


async def test_no_half_of_a_change(store: Store) -> None:
    """A block that fails after another one takes that one with it, and no third pretends otherwise."""
    one = OneTransaction(store, nothing)
    await put(one, 1)
    with pytest.raises(Violation):
        await put(one, 1)
    with pytest.raises(Unavailable):
        await put(one, 2)
    with pytest.raises(Unavailable):
        await one.commit(nothing)
    assert await count(store) == 0
    await one.abandon()
