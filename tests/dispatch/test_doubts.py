"""The doubt of a text that is no blast's ends by a receipt or by somebody's word, and by nothing else."""

import asyncio

import msgspec
import pytest

from dispatch.world import Tenant, World, accept, receipt_for, recipient
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.sender import Sender
from opengage.domain.errors import Code, Forbidden, Invalid, NotFound
from opengage.domain.outcomes import CONNECTION_LOST, Unknown
from opengage.domain.records import Text
from opengage.domain.states import TextStatus
from opengage.ids import new_id
from opengage.operations import doubts
from opengage.operations.actors import OWNER, SENDER, VIEWER, Actor


async def in_doubt(world: World, tenant: Tenant) -> tuple[Text, Sender, Recorder]:
    """A single text that was submitted, and whose answer was lost with its link."""
    text = await world.single(tenant, recipient(0), callback="https://example.com/hook")
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda each: Unknown(each.text_id, CONNECTION_LOST)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    assert world.statuses() == {recipient(0): "in-doubt"}
    return text, sender, recorder


async def resolve(world: World, tenant: Tenant, text: Text, verb: str, role: str = OWNER) -> doubts.Resolved:
    """Somebody of the tenant says this of a text."""
    actor = Actor(tenant.account_id, "key", tenant.member, role)
    return await doubts.resolve_text(world.store, world.clock, new_id, actor, text.id, verb=verb)


def kinds(world: World) -> list[str]:
    """Every event of the text's fate."""
    return [kind for (kind,) in world.look("SELECT kind FROM text_results ORDER BY id")]


async def refused(world: World, tenant: Tenant, text: Text, verb: str) -> Code:
    """The code with which a word is refused; nothing has changed by it, and nothing is in the audit."""
    before = world.look("SELECT * FROM texts"), kinds(world), world.look("SELECT id FROM audit_events")
    with pytest.raises(Invalid) as refusal:
        await resolve(world, tenant, text, verb)
    assert (world.look("SELECT * FROM texts"), kinds(world), world.look("SELECT id FROM audit_events")) == before
    (problem,) = refusal.value.problems
    return problem.code


async def test_it_is_sent_again_once_when_somebody_says_so(world: World) -> None:
    """Not before, however long it takes; then under its own identity, and a late receipt settles it."""
    tenant = await world.tenant()
    text, sender, recorder = await in_doubt(world, tenant)
    world.carrier.answer = accept
    world.wait(3600, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    done = await resolve(world, tenant, text, "resend", SENDER)
    assert (done.verb, done.count, done.left) == ("resend", 1, 0)
    for _ in range(2):
        await sender.turn()
    assert [each.text_id for each in world.carrier.submitted] == [text.id] * 2
    await recorder.commit()
    assert await refused(world, tenant, text, "resend") is Code.ILLEGAL_STATE
    recorder.receipts([receipt_for(world.carrier.submitted[1])])
    await recorder.commit()
    assert kinds(world) == ["in-doubt", "queued", "sent", "delivered"]


@pytest.mark.parametrize(("verb", "fate"), [("delivered", "delivered"), ("give-up", "failed")])
async def test_it_is_closed_by_a_word(world: World, verb: str, fate: str) -> None:
    """For good: it is not sent again, no second word is taken, and its callback is told like any other fate."""
    tenant = await world.tenant()
    text, sender, _ = await in_doubt(world, tenant)
    await resolve(world, tenant, text, verb)
    for again in doubts.VERBS:
        assert await refused(world, tenant, text, again) is Code.ILLEGAL_STATE
    world.wait(3600, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    assert world.look("SELECT status, code, epoch, settled_at IS NOT NULL FROM texts") == [(fate, "operator", None, 1)]
    assert kinds(world) == ["in-doubt", fate]
    told = world.look("SELECT event FROM webhook_deliveries WHERE subject_id = ? ORDER BY id", text.id)
    assert told == [("text.in-doubt",), (f"text.{fate}",)]


async def test_whose_word_it_was_is_kept(world: World) -> None:
    """In the audit: what, of which text, by whom."""
    tenant = await world.tenant()
    text, _, _ = await in_doubt(world, tenant)
    done = await resolve(world, tenant, text, "give-up")
    found = world.look("SELECT account_id, id, created_by, action, subject_type, subject_id, detail FROM audit_events")
    ((*who, detail),) = found
    assert who == [tenant.account_id, done.event.id, tenant.member, "in-doubt.give-up", "texts", text.id]
    assert msgspec.json.decode(detail) == {"count": 1}


async def test_a_receipt_was_first(world: World) -> None:
    """What the network said stands."""
    tenant = await world.tenant()
    text, _, recorder = await in_doubt(world, tenant)
    recorder.receipts([receipt_for(world.carrier.submitted[0])])
    await recorder.commit()
    assert await refused(world, tenant, text, "resend") is Code.ILLEGAL_STATE
    assert world.statuses() == {recipient(0): "delivered"}


async def test_of_two_words_one_counts(world: World) -> None:
    """Said at the same moment: the other is refused as any word on what is no longer in doubt."""
    tenant = await world.tenant()
    text, _, _ = await in_doubt(world, tenant)
    said = await asyncio.gather(
        *(resolve(world, tenant, text, verb) for verb in ("resend", "delivered")), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in said) == ["Invalid", "Resolved"]
    assert len(kinds(world)) == 2
    assert len(world.look("SELECT id FROM audit_events")) == 1


async def test_who_has_opted_out_is_not_texted_again(world: World) -> None:
    """The resend is refused and the doubt stays; after a word that came before the STOP it fails on its way out."""
    tenant = await world.tenant()
    text, sender, _ = await in_doubt(world, tenant)
    await world.suppress(tenant, recipient(0))
    assert await refused(world, tenant, text, "resend") is Code.SUPPRESSED
    world.change("DELETE FROM suppressions")
    await resolve(world, tenant, text, "resend")
    await world.suppress(tenant, recipient(0))
    await sender.turn()
    assert len(world.carrier.submitted) == 1
    assert world.look("SELECT status, code FROM texts") == [("failed", "opted-out")]


async def test_a_text_that_ends_waits_for_nothing(world: World) -> None:
    """What held it is forgotten with its end, and with its leaving."""
    tenant = await world.tenant()
    waited = {"hold_reason": "us-federal", "hold_until": world.clock.now()}
    for place in range(2):
        await world.single(tenant, recipient(place), **waited)
    await world.suppress(tenant, recipient(0))
    await (await world.sender(tenant, world.recorder(tenant))).turn()
    assert world.statuses() == {recipient(0): "failed", recipient(1): "sending"}
    assert world.look("SELECT DISTINCT hold_reason, hold_until FROM texts") == [(None, None)]


async def test_nobody_else_has_a_say(world: World) -> None:
    """Another account does not find it, a viewer may not, and a verb that is none says nothing."""
    mine, theirs = await world.tenant(), await world.tenant("secondbank")
    text, _, _ = await in_doubt(world, mine)
    with pytest.raises(NotFound):
        await resolve(world, theirs, text, "give-up")
    with pytest.raises(Forbidden):
        await resolve(world, mine, text, "give-up", VIEWER)
    assert await refused(world, mine, text, "forget") is Code.NOT_ALLOWED_VALUE
    assert world.statuses() == {recipient(0): "in-doubt"}


@pytest.mark.parametrize("status", [each for each in TextStatus if each is not TextStatus.IN_DOUBT])
async def test_only_a_doubt_is_resolved(world: World, status: TextStatus) -> None:
    """Whatever else has become of a text stays as it is."""
    tenant = await world.tenant()
    text = await world.single(tenant, recipient(0), status=status, next_at=None)
    for verb in doubts.VERBS:
        assert await refused(world, tenant, text, verb) is Code.ILLEGAL_STATE


async def test_a_blast_s_doubt_is_its_envelope_s(world: World) -> None:
    """It cannot be resolved past the ledger."""
    tenant = await world.tenant()
    text = await world.single(tenant, recipient(0), status=TextStatus.IN_DOUBT, next_at=None, engagement_id=new_id())
    assert await refused(world, tenant, text, "delivered") is Code.ILLEGAL_STATE
