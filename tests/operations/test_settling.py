"""Events to steps: folding, no-ops, attempts, and the ledger's moves."""

import msgspec
import pytest

from dispatch.world import Tenant, World, recipient
from opengage.domain.records import Engagement
from opengage.domain.retry import POLICIES, Trouble
from opengage.domain.states import Reason, TextEvent
from opengage.ids import Id, new_id
from opengage.operations.settling import Settling
from opengage.store.contract import Unanswered


class Batch:
    """Texts at `sending`, and a settling for them."""

    def __init__(self, world: World, tenant: Tenant, engagement: Engagement, texts: list[Unanswered]) -> None:
        self.world, self.tenant, self.engagement, self.texts = world, tenant, engagement, texts
        self.settling = Settling(world.clock.now(), new_id, lambda: 0.0)

    async def write(self) -> list[Id]:
        """Commit what was applied."""
        async with self.world.store.writing() as tx:
            return await self.settling.write(tx)

    async def again(self) -> "Batch":
        """The same texts as they stand now."""
        ids = [text.text_id for text in self.texts]
        async with self.world.store.reading() as tx:
            found = await tx.batches.texts(self.tenant.account_id, ids)
        return Batch(self.world, self.tenant, self.engagement, [found[id_] for id_ in ids])


@pytest.fixture
async def batch(world: World) -> Batch:
    """Two texts whose intent is written."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 2)
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    ids = [submission.text_id for submission in world.carrier.submitted]
    async with world.store.reading() as tx:
        found = await tx.batches.texts(tenant.account_id, ids)
    return Batch(world, tenant, engagement, [found[id_] for id_ in ids])


async def test_answer_and_receipt_fold_into_one_step(batch: Batch) -> None:
    """Read together they are written together: once sent, once delivered, at its last place in the ledger."""
    text = batch.texts[0]
    assert batch.settling.apply(text, TextEvent.ACCEPTED, None)
    assert batch.settling.apply(text, TextEvent.DELIVERY, "DELIVRD")
    assert await batch.write() == []
    status, sent_at, settled_at, epoch = batch.world.look(
        "SELECT status, sent_at, settled_at, epoch FROM texts WHERE id = ?", text.text_id
    )[0]
    assert (status, epoch) == ("delivered", None)
    assert sent_at
    assert settled_at
    kinds = batch.world.look("SELECT kind FROM text_results WHERE text_id = ? ORDER BY id", text.text_id)
    assert kinds == [("sent",), ("delivered",)]
    assert (await batch.world.ledger(batch.engagement)).reasons == {"delivered": 1, "sending": 1}


async def test_what_says_nothing_new_changes_nothing(batch: Batch) -> None:
    """A second answer, a second receipt and a receipt that contradicts the first leave the text as it is."""
    text = batch.texts[0]
    for event in (TextEvent.ACCEPTED, TextEvent.DELIVERY):
        assert batch.settling.apply(text, event, None)
    for event in (TextEvent.ACCEPTED, TextEvent.DELIVERY, TextEvent.NON_DELIVERY, TextEvent.NO_ANSWER):
        assert not batch.settling.apply(text, event, None)
    await batch.write()
    later = await batch.again()
    for late in TextEvent:
        assert not later.settling.apply(later.texts[0], late, None)
    assert await later.write() == []
    assert batch.world.statuses()[recipient(0)] == "delivered"


async def test_the_last_one_completes_the_engagement(batch: Batch) -> None:
    """The commit that settles the last envelope completes the engagement, and says which."""
    for text, event in zip(batch.texts, (TextEvent.REFUSED, TextEvent.NO_ANSWER), strict=True):
        batch.settling.apply(text, event, "ESME_RINVDSTADR")
    assert await batch.write() == []
    assert (await batch.world.ledger(batch.engagement)).hold == 1
    later = await batch.again()
    later.settling.apply(later.texts[1], TextEvent.DELIVERY, "DELIVRD")
    assert await later.write() == [batch.engagement.id]
    assert batch.world.engagement_status(batch.engagement) == "completed"
    assert (await batch.world.ledger(batch.engagement)).reasons == {"delivered": 1, "rejected": 1}


async def test_in_doubt_is_told_by_name(batch: Batch) -> None:
    """Whoever logs it learns which texts came to be in doubt."""
    batch.settling.apply(batch.texts[1], TextEvent.NO_ANSWER, "no-answer")
    assert batch.settling.newly_in_doubt == [batch.texts[1].text_id]


@pytest.mark.parametrize(
    ("trouble", "attempts"), [(Trouble.THROTTLED, 0), (Trouble.DISCONNECTED, 0), (Trouble.TEMPORARY, 1)]
)
async def test_putting_off_burns_an_attempt_or_not(batch: Batch, trouble: Trouble, attempts: int) -> None:
    """What says nothing against the text burns no attempt; a temporary failure burns one. Each is due later."""
    batch.settling.put_off(batch.texts[0], trouble, "why")
    await batch.write()
    id_ = batch.texts[0].text_id
    assert batch.world.look("SELECT status, attempts, epoch FROM texts WHERE id = ?", id_) == [("queued", attempts, 1)]
    ((reason, next_at),) = batch.world.look("SELECT reason, next_at FROM envelopes WHERE text_id = ?", id_)
    assert reason == Reason.RETRYING
    assert next_at == batch.world.clock.now() + POLICIES[trouble].first * 500_000
    assert (await batch.world.ledger(batch.engagement)).reasons == {"retrying": 1, "sending": 1}


async def test_used_up_attempts_end_a_text(batch: Batch) -> None:
    """A text that failed as often as its policy allows is refused, not put off for ever."""
    most = POLICIES[Trouble.TEMPORARY].attempts
    text = msgspec.structs.replace(batch.texts[0], attempts=most or 0)
    batch.world.change("UPDATE texts SET attempts = ?", text.attempts)
    batch.settling.put_off(text, Trouble.TEMPORARY, "ESME_RSYSERR")
    await batch.write()
    assert batch.world.statuses()[recipient(0)] == "failed"
    assert batch.world.reasons()[recipient(0)] == "rejected"


async def test_nothing_is_written_for_nothing(world: World) -> None:
    """A batch in which nothing changed writes nothing."""
    settling = Settling(world.clock.now(), new_id, lambda: 0.0)
    async with world.store.writing() as tx:
        assert await settling.write(tx) == []
    assert world.look("SELECT count(*) FROM text_results") == [(0,)]
