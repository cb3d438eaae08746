"""A worker of this release goes on over the next one's schema, which has only more."""

from dispatch.world import World, accept, receipt_for
from opengage.store import revision

EXPANDED = (
    "ALTER TABLE envelopes ADD COLUMN later_note text",
    "ALTER TABLE texts ADD COLUMN later_count bigint DEFAULT 7",
    "ALTER TABLE lanes ADD COLUMN later_flag boolean DEFAULT false",
    "CREATE TABLE later_things (account_id bigint, id bigint, PRIMARY KEY (account_id, id))",
    "CREATE INDEX later_index ON texts (account_id, later_count)",
)
TAKEN_BACK = (
    "DROP INDEX later_index",
    "DROP TABLE later_things",
    "ALTER TABLE lanes DROP COLUMN later_flag",
    "ALTER TABLE texts DROP COLUMN later_count",
    "ALTER TABLE envelopes DROP COLUMN later_note",
)


async def test_an_old_worker_works_on_an_expanded_schema(world: World) -> None:
    """The migration comes in the middle of a blast; every text is written once, answered and confirmed after it."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 5)
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=2)
    await sender.turn()
    for statement in EXPANDED:
        world.change(statement)
    world.change(f"UPDATE alembic_version SET version_num = '{int(revision.NEEDED) + 1:04d}'")
    try:
        await revision.require(world.store)
        for _ in range(6):
            await recorder.commit()
            await sender.turn()
        recorder.receipts([receipt_for(each) for each in world.carrier.submitted])
        await recorder.commit()
        assert len(set(world.carrier.recipients)) == len(world.carrier.recipients) == 5
        assert (await world.ledger(engagement)).reasons == {"delivered": 5}
    finally:
        for statement in TAKEN_BACK:
            world.change(statement)
        world.change(f"UPDATE alembic_version SET version_num = '{revision.NEEDED}'")
