"""The ledger's rows: counts that move with the envelopes, and engagements that complete with them."""

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain import records
from opengage.domain.ledger import Dimension, Moves
from opengage.domain.states import EngagementStatus, Reason
from opengage.ids import Id
from opengage.store import ledgers, rows, tables
from opengage.store.contract import Store
from store.samples import ACCOUNT, ENGAGEMENT, NOW, OTHER_ACCOUNT, OTHER_ENGAGEMENT, RECORDS, id_of

SAMPLE = next(record for record in RECORDS if isinstance(record, records.Engagement))
LATER = Instant(NOW + 1_000_000)


def moved(*steps: tuple[Reason | None, Reason | None, int], engagement: Id = ENGAGEMENT) -> Moves:
    """(from, to, how many); None is nowhere."""
    moves = Moves()
    for before, after, count in steps:
        if before is not None:
            moves.leave(ACCOUNT, engagement, before, count)
        if after is not None:
            moves.arrive(ACCOUNT, engagement, after, count)
    return moves


async def test_counts_add_up_over_transactions(store: Store) -> None:
    """Each batch moves the counts on; places that nobody stands at any more are not named."""
    for moves in (
        moved((None, Reason.NONE, 10)),
        moved((Reason.NONE, Reason.SENDING, 6), (Reason.NONE, Reason.OPTED_OUT, 1)),
        moved((Reason.SENDING, Reason.SENT, 6), (Reason.SENT, Reason.DELIVERED, 2)),
    ):
        async with store.writing() as tx:
            await ledgers.move(tx, moves)
    async with store.reading() as tx:
        ledger = await ledgers.read(tx, ACCOUNT, ENGAGEMENT)
    assert ledger.reasons == {"delivered": 2, "opted-out": 1, "sent": 4}
    assert (ledger.total, ledger.pending, ledger.processing, ledger.complete, ledger.incomplete) == (10, 3, 4, 2, 1)


async def test_each_engagement_has_its_own(store: Store) -> None:
    """Neither another engagement nor another account is counted."""
    async with store.writing() as tx:
        await ledgers.move(tx, moved((None, Reason.NONE, 1)))
        await ledgers.move(tx, moved((None, Reason.NONE, 2), engagement=OTHER_ENGAGEMENT))
        assert (await ledgers.read(tx, ACCOUNT, ENGAGEMENT)).total == 1
        assert (await ledgers.read(tx, OTHER_ACCOUNT, ENGAGEMENT)).total == 0


async def test_an_undone_block_moves_nothing(store: Store) -> None:
    """Counts and what they count stand or fall together."""

    async def fail() -> None:
        async with store.writing() as tx:
            await ledgers.move(tx, moved((None, Reason.NONE, 1)))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with store.reading() as tx:
        assert (await ledgers.read(tx, ACCOUNT, ENGAGEMENT)).total == 0


@pytest.mark.parametrize(
    ("status", "last", "completes"),
    [
        (EngagementStatus.PROCESSING, Reason.DELIVERED, True),
        (EngagementStatus.PROCESSING, Reason.IN_DOUBT, False),
        (EngagementStatus.PROCESSING, Reason.SENT, False),
        (EngagementStatus.PROCESSING, Reason.NONE, False),
        (EngagementStatus.PAUSED, Reason.DELIVERED, False),
        (EngagementStatus.CANCELED, Reason.DELIVERED, False),
        (EngagementStatus.COMPLETED, Reason.DELIVERED, False),
    ],
)
async def test_an_engagement_completes_with_its_last_envelope(
    store: Store, status: EngagementStatus, last: Reason, completes: bool
) -> None:
    """Once, when nothing is left to send, to await or to resolve, and only while it runs."""
    running = msgspec.structs.replace(SAMPLE, id=ENGAGEMENT, status=status)
    async with store.writing() as tx:
        await rows.insert(tx, running)
        await ledgers.move(tx, moved((None, Reason.UNDELIVERED, 1), (None, Reason.SENDING, 1)))
        done = await ledgers.move_and_complete(tx, moved((Reason.SENDING, last, 1)), LATER)
        assert done == ([ENGAGEMENT] if completes else [])
        assert await ledgers.move_and_complete(tx, moved((None, None, 0)), LATER) == []
        now = await rows.find(tx, records.Engagement, ACCOUNT, ENGAGEMENT)
    assert now is not None
    assert now.status is (EngagementStatus.COMPLETED if completes else status)
    assert now.completed_at == (LATER if completes else None)


async def test_of_many_engagements_only_the_settled_are_completed(store: Store) -> None:
    """However many places move at once, and whichever of them still has something to do."""
    several = [
        msgspec.structs.replace(SAMPLE, id=id_of(number), status=EngagementStatus.PROCESSING) for number in range(12)
    ]
    moves, last = Moves(), [several[place] for place in (2, 11)]
    for engagement in several:
        moves.leave(ACCOUNT, engagement.id, Reason.NONE)
        moves.arrive(ACCOUNT, engagement.id, Reason.DELIVERED)
    assert len(moves.changes()) > ledgers._AT_ONCE
    async with store.writing() as tx:
        for engagement in several:
            await rows.insert(tx, engagement)
            waiting = 2 if engagement in last else 1
            await ledgers.move(tx, moved((None, Reason.NONE, waiting), engagement=engagement.id))
        done = await ledgers.move_and_complete(tx, moves, LATER)
        assert set(done) == {each.id for each in several if each not in last}
        for engagement in several:
            assert (await ledgers.read(tx, ACCOUNT, engagement.id)).reasons == {"delivered": 1}


async def test_what_a_newer_version_counts_is_passed_by(store: Store) -> None:
    """In a rolling upgrade both write the same ledger, and the older one still shows what it knows."""
    moves = Moves()
    moves.note(ACCOUNT, ENGAGEMENT, Dimension.CODE, "DELIVRD", 2)
    async with store.writing() as tx:
        await ledgers.move(tx, moves)
        await tx.run(
            sa.insert(tables.ledger_details),
            account_id=ACCOUNT,
            engagement_id=ENGAGEMENT,
            dimension="of later",
            key="x",
            count=1,
        )
        found = await ledgers.all_details(tx, ACCOUNT, ENGAGEMENT)
    assert {dimension: counts for dimension, counts in found.items() if counts} == {Dimension.CODE: {"DELIVRD": 2}}
