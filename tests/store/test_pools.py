"""Sender pools on each database: whose they are, and what is taken back from a number."""

from opengage.domain.states import Reason
from opengage.ids import Id, new_id
from opengage.store import pools
from opengage.store.contract import NewEnvelope, Settled, Store
from store.samples import ACCOUNT, AUTHOR, NOW

ONE, OTHER = new_id(), new_id()


async def envelopes(store: Store, engagement_id: Id, number_id: Id | None) -> list[Id]:
    """Two due envelopes of an engagement, given to a number."""
    ids = [new_id(), new_id()]
    new = [NewEnvelope(f"+1202555014{place}", "{}") for place in range(2)]
    async with store.writing() as tx:
        await tx.batches.insert_envelopes(ACCOUNT, engagement_id, AUTHOR, ids, new, NOW)
        if number_id is not None:
            await tx.batches.assign(ACCOUNT, [(id_, number_id) for id_ in ids])
    return ids


async def taken_by(store: Store, engagement_id: Id, number_id: Id) -> list[Id]:
    """Which due envelopes are given to a number."""
    async with store.reading() as tx:
        due = await tx.batches.due(ACCOUNT, engagement_id, number_id, NOW, 10)
    return [each.envelope_id for each in due if each.is_assigned]


async def test_what_is_taken_back_from_a_number(store: Store) -> None:
    """What it was given of this engagement and has not left; nothing of another number or engagement."""
    one, other = new_id(), new_id()
    mine, gone = await envelopes(store, one, ONE)
    kept = await envelopes(store, one, OTHER)
    elsewhere = await envelopes(store, other, ONE)
    async with store.writing() as tx:
        await tx.batches.settle_envelopes(ACCOUNT, [Settled(gone, Reason.OPTED_OUT, None)], NOW)
        assert await pools.release(tx, ACCOUNT, one, [ONE]) == 1
    assert await taken_by(store, one, ONE) == []
    assert await taken_by(store, one, OTHER) == kept
    assert await taken_by(store, other, ONE) == elsewhere
    async with store.reading() as tx:
        due = await tx.batches.due(ACCOUNT, one, new_id(), NOW, 10)
    assert [each.envelope_id for each in due] == [mine]


async def test_a_pool_is_replaced_alone(store: Store) -> None:
    """In its new order; the pool of another engagement stays."""
    one, other = new_id(), new_id()
    async with store.writing() as tx:
        await pools.replace(tx, ACCOUNT, other, [ONE])
        await pools.replace(tx, ACCOUNT, one, [ONE])
        await pools.replace(tx, ACCOUNT, one, [OTHER, ONE])
        assert await pools.of_many(tx, ACCOUNT, [one, other]) == {one: [OTHER, ONE], other: [ONE]}
        await pools.replace(tx, ACCOUNT, one, [])
        assert await pools.of_many(tx, ACCOUNT, [one, other]) == {one: [], other: [ONE]}
