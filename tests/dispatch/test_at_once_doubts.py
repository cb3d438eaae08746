"""What is in doubt, and what is decided of an engagement from a look, while others change it: on either database."""

from typing import Any

import pytest

from dispatch.at_once import everywhere, owner
from dispatch.world import Tenant, World, accept
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.sender import Sender
from opengage.domain.outcomes import NO_ANSWER, Deferred, Outcome, Refused, Submission, Unknown
from opengage.domain.records import Engagement
from opengage.ids import new_id
from opengage.operations import doubts


async def in_doubt(world: World) -> tuple[Tenant, Engagement, Recorder, Sender, Submission]:
    """An engagement of one text that got no answer."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    (text,) = world.carrier.submitted
    await hear(recorder, Unknown(text.text_id, NO_ANSWER))
    return tenant, engagement, recorder, sender, text


async def hear(recorder: Recorder, *outcomes: Outcome) -> None:
    """The carrier says this, and it is stored."""
    recorder.outcomes(outcomes)
    await recorder.commit()


async def resent(world: World, made: Any) -> Submission:
    """An operator has it sent again."""
    tenant, engagement, _, sender, _ = made
    await doubts.resolve(world.store, world.clock, new_id, owner(tenant), engagement.id, verb="resend")
    await sender.turn()
    return world.carrier.submitted[-1]


NOT_TAKEN = [
    lambda text: Deferred(text.text_id, "88", throttled=True, attempt=text.attempt),
    lambda text: Refused(text.text_id, "ESME_RSUBMITFAIL", attempt=text.attempt),
]


@everywhere
@pytest.mark.parametrize("late", NOT_TAKEN)
async def test_the_late_answer_to_a_text_that_is_being_sent_again(world: World, late: Any) -> None:
    """That the first submit was not taken says nothing of the second one: no third one follows, nor is it given up."""
    made = _, _, recorder, sender, first = await in_doubt(world)
    second = await resent(world, made)
    assert (first.attempt, second.attempt) == (1, 2)
    await hear(recorder, late(first))  # as Link.on_late_answers tells it
    assert sender.under_way == 1, "the second one is not answered yet"
    assert recorder.under_way() == {second.text_id}
    await hear(recorder, accept(second))
    assert set(world.reasons().values()) == {"sent"}
    assert (sender.under_way, recorder.under_way()) == (0, set())
    world.wait(120, sender)
    await sender.turn()
    assert len(world.carrier.submitted) == 2


@everywhere
@pytest.mark.parametrize("late", NOT_TAKEN)
async def test_the_late_answer_to_a_text_that_is_in_doubt_again(world: World, late: Any) -> None:
    """The second submit may have arrived, whatever became of the first one."""
    made = _, _, recorder, _, first = await in_doubt(world)
    second = await resent(world, made)
    await hear(recorder, Unknown(second.text_id, NO_ANSWER, attempt=second.attempt), late(first))
    assert set(world.reasons().values()) == {"in-doubt"}
    await hear(recorder, late(second))
    assert set(world.reasons().values()) != {"in-doubt"}


@everywhere
async def test_the_late_answer_to_a_submit_of_a_worker_that_lost_its_lane(world: World) -> None:
    """It remembers the text as it sent it, but another one has sent it again since."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    lost = world.recorder(tenant)
    sender = await world.sender(tenant, lost)
    await sender.turn()
    (first,) = world.carrier.submitted
    await hear(world.recorder(tenant), Unknown(first.text_id, "worker-lost"))
    recorder = world.recorder(tenant)
    made = tenant, engagement, recorder, await world.sender(tenant, recorder), first
    second = await resent(world, made)
    await hear(lost, Deferred(first.text_id, "88", throttled=True))
    assert set(world.reasons().values()) == {"sending"}
    await hear(recorder, accept(second))
    assert set(world.reasons().values()) == {"sent"}


@everywhere
async def test_the_first_of_two_submits_was_taken(world: World) -> None:
    """Then the text was, and what the second one comes to changes nothing more."""
    made = _, _, recorder, sender, first = await in_doubt(world)
    second = await resent(world, made)
    await hear(recorder, accept(first))
    assert set(world.reasons().values()) == {"sent"}
    assert sender.under_way == 1
    await hear(recorder, Deferred(second.text_id, "88", throttled=True, attempt=second.attempt))
    assert set(world.reasons().values()) == {"sent"}
    assert sender.under_way == 0
    assert world.look("SELECT count(*) FROM text_segments") == [(1,)]
