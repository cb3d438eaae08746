"""A restore never resends: whatever may have left since the backup is in doubt, or waits for an operator."""

import contextlib
import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import postgres
from databases import Database, PostgresDatabase, SqliteFile
from dispatch.world import Tenant, World, accept, recipient
from opengage.clock import Instant
from opengage.dispatch.rescuer import Rescuer
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.errors import Conflict, Fenced
from opengage.domain.outcomes import Deferred
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.operations import backups
from opengage.operations.backups import Restored
from opengage.store import dump_format, lanes, revision
from opengage.store.contract import Store


async def backed_up(store: Store, world: World) -> bytes:
    """A backup of a store."""
    stream = io.BytesIO()
    await backups.backup(store, world.clock, revision.NEEDED, "test", stream)
    return stream.getvalue()


async def restored(store: Store, world: World, content: bytes) -> Restored:
    """Restore a backup into an empty store."""
    counts = await backups.fill(store, dump_format.Reader(io.BytesIO(content)))
    return await backups.make_safe(store, world.clock, new_id, counts)


@pytest.fixture
async def later(world: World, migrated: Path, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """An empty database of the same kind, and a world on it with the same clock and carrier."""
    with contextlib.ExitStack() as stack:
        database: Database
        if isinstance(world.database, PostgresDatabase):
            server: postgres.Server = request.getfixturevalue("postgres_server")
            database = PostgresDatabase(stack.enter_context(server.database()), server)
        else:
            database = SqliteFile(Path(shutil.copyfile(migrated, tmp_path / "later.sqlite")))
        store = database.open()
        other = World(database, store)
        other.clock, other.carrier = world.clock, world.carrier
        yield other
        await store.close()


async def turn(world: World, tenant: Tenant, window: int) -> None:
    """One look of a worker for what it may send."""
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder, window=window)
    await sender.turn()
    await recorder.commit()


async def work_until_rest(world: World, tenant: Tenant) -> None:
    """What a worker does in an hour: takes the lane, rescues, starts, sends, resends by policy."""
    rescuer = Rescuer(world.store, world.clock, new_id, lambda: 0.0)
    scheduler = Scheduler(world.store, world.clock, new_id)
    for _ in range(5):
        world.expire_lanes()
        world.clock.advance(700)
        await scheduler.start_due()
        lease = await world.lease(tenant.number, "another")
        await rescuer.rescue(lease)
        await rescuer.resend_doubtful(lease, tenant.profile)
        world.expire_lanes()
        await turn(world, tenant, 500)
        await scheduler.sweep()


async def test_nobody_gets_a_second_text(world: World, later: World) -> None:
    """Backed up in the middle of a blast, which then goes on to its end: after the restore no byte leaves by itself."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 9)
    world.carrier.answer = accept
    await turn(world, tenant, 3)
    content = await backed_up(world.store, world)
    world.expire_lanes()
    await turn(world, tenant, 500)
    assert sorted(world.carrier.recipients) == sorted(set(world.carrier.recipients))
    sent = len(world.carrier.submitted)
    assert sent == 9
    told = await restored(later.store, later, content)
    assert (told.paused, told.counts["envelopes"]) == (1, 9)
    await work_until_rest(later, tenant)
    assert len(world.carrier.submitted) == sent
    assert later.engagement_status(engagement) == "paused"
    assert later.look("SELECT pause_reason FROM engagements") == [("restored",)]
    assert (await later.ledger(engagement)).total == 9


async def test_what_was_under_way_is_in_doubt(world: World, later: World) -> None:
    """Whether it was being submitted, or waited for its next try."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3)
    put_off = world.look("SELECT phone_number FROM envelopes ORDER BY id")[0][0]
    world.carrier.answer = lambda each: (
        Deferred(each.text_id, "ESME_RMSGQFUL", throttled=False) if each.recipient == put_off else None
    )
    await turn(world, tenant, 500)
    assert (await world.ledger(engagement)).reasons == {"retrying": 1, "sending": 2}
    content = await backed_up(world.store, world)
    told = await restored(later.store, later, content)
    assert told.in_doubt == 3
    assert (await later.ledger(engagement)).reasons == {"in-doubt": 3}
    assert later.look("SELECT DISTINCT code FROM texts") == [("restored",)]
    assert later.look("SELECT count(*) FROM texts WHERE epoch IS NULL OR next_at IS NOT NULL") == [(0,)]


async def test_a_single_text_that_was_not_sent_yet_is_in_doubt(world: World, later: World) -> None:
    """It may have left since the backup: it is among the open ones, where a receipt finds it, and due no more."""
    tenant = await world.tenant()
    await world.single(tenant, recipient(9))
    assert world.look("SELECT status, epoch FROM texts") == [("queued", None)]
    await restored(later.store, later, await backed_up(world.store, world))
    assert later.look("SELECT status, epoch, next_at FROM texts") == [("in-doubt", 0, None)]


async def test_no_policy_sends_again_what_is_in_doubt(world: World, later: World) -> None:
    """The policy `resend` takes a risk for one text; a restore puts thousands in doubt."""
    tenant = await world.tenant()
    world.change("UPDATE service_profiles SET in_doubt_policy = 'resend'")
    await world.engagement(tenant, 4)
    await turn(world, tenant, 500)
    told = await restored(later.store, later, await backed_up(world.store, world))
    assert (told.in_doubt, told.policies) == (4, 1)
    assert later.look("SELECT in_doubt_policy FROM service_profiles") == [(None,)]


async def test_a_scheduled_blast_is_a_draft_again(world: World, later: World) -> None:
    """It may have begun since: it begins once somebody schedules it."""
    tenant = await world.tenant()
    starts_at = Instant(world.clock.now() + 1)
    engagement = await world.engagement(tenant, 2, status=EngagementStatus.SCHEDULED, starts_at=starts_at)
    told = await restored(later.store, later, await backed_up(world.store, world))
    assert told.unscheduled == 1
    await work_until_rest(later, tenant)
    assert (later.engagement_status(engagement), world.carrier.submitted) == ("pending", [])


async def test_an_old_worker_is_fenced(world: World, later: World) -> None:
    """Its lease names an epoch that the restored lane has left behind, so that it writes no intent."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    lease = await world.lease(tenant.number, "old")
    content = await backed_up(world.store, world)
    await restored(later.store, later, content)
    async with later.store.writing() as tx:
        with pytest.raises(Fenced):
            await lanes.require(tx, lease)
    fresh = await later.lease(tenant.number, "new")
    assert fresh.epoch > lease.epoch + 1000


async def test_nothing_leaves_between_filling_and_making_safe(world: World, later: World) -> None:
    """A worker that starts too early finds every lane taken."""
    tenant = await world.tenant()
    await world.engagement(tenant, 2)
    await backups.fill(later.store, dump_format.Reader(io.BytesIO(await backed_up(world.store, world))))
    async with later.store.reading() as tx:
        assert await lanes.free(tx, "early", 10) == []


async def test_a_damaged_backup_fills_nothing(world: World, later: World) -> None:
    """All or nothing."""
    await world.engagement(await world.tenant(), 2)
    content = await backed_up(world.store, world)
    with pytest.raises(dump_format.Unreadable):
        await backups.fill(later.store, dump_format.Reader(io.BytesIO(content[:-20])))
    assert later.look("SELECT count(*) FROM accounts") == [(0,)]


async def test_a_filled_database_is_not_restored_into(world: World) -> None:
    """Nothing is ever overwritten."""
    await world.engagement(await world.tenant(), 2)
    content = await backed_up(world.store, world)
    with pytest.raises(Conflict, match=r"not empty"):
        await backups.fill(world.store, dump_format.Reader(io.BytesIO(content)))


async def test_a_move_changes_no_state(world: World, later: World) -> None:
    """Nothing ran meanwhile: the blast goes on where it stood, on the new database."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 5)
    world.carrier.answer = accept
    await turn(world, tenant, 2)
    with pytest.raises(Conflict, match=r"runs on the database"):
        await backups.move(world.store, later.store)
    world.expire_lanes()
    counts = await backups.move(world.store, later.store)
    assert counts["envelopes"] == 5
    assert later.engagement_status(engagement) == "processing"
    await turn(later, tenant, 500)
    assert sorted(world.carrier.recipients) == sorted(set(world.carrier.recipients))
    assert len(world.carrier.submitted) == 5


async def test_a_move_that_does_not_balance_is_undone(world: World, later: World) -> None:
    """What has arrived is counted before it is kept."""
    await world.engagement(await world.tenant(), 5)
    world.change("UPDATE ledger SET count = count + 1")
    with pytest.raises(Conflict, match=r"ledger of engagement"):
        await backups.move(world.store, later.store)
    assert later.look("SELECT count(*) FROM accounts") == [(0,)]
