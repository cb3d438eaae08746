"""Phone numbers and service profiles that are changed or deleted while something is made of them or goes over them.

Any order of the two that a single writer could have come to is as good as the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from dispatch.at_once import Paused, between, everywhere, in_order, let_in, loose, on_postgres, owner, waits
from dispatch.workers import Workers
from dispatch.world import Tenant, World, accept, receipt_for, recipient, until
from opengage.dispatch import dispatcher
from opengage.dispatch.recorder import Recorder
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.errors import Code, Fenced, Invalid, Unavailable
from opengage.domain.outcomes import Inbound
from opengage.domain.records import PhoneNumber, ServiceProfile, Text
from opengage.ids import Id, new_id
from opengage.operations import (
    activities,
    engagements,
    envelopes,
    phone_numbers,
    service_profiles,
    text_messages,
    text_templates,
    texts,
)
from opengage.operations.engagement_changes import Changes
from opengage.store import lanes, ledgers, references, rows, work
from opengage.store.contract import NewEnvelope, Store
from seals import SEALER

WITHOUT_PROFILE = """
SELECT count(*) FROM phone_numbers n
WHERE NOT EXISTS (SELECT 1 FROM service_profiles s WHERE s.id = n.service_profile_id)
"""

# a service profile that is deleted


async def another(store: Store, world: World, tenant: Tenant, changes: phone_numbers.Changes) -> PhoneNumber:
    """POST another number."""
    number = "+12025550177"
    return await phone_numbers.create(store, world.clock, new_id, owner(tenant), phone_number=number, changes=changes)


@on_postgres
async def test_a_number_made_on_a_profile_that_is_being_deleted(world: World) -> None:
    """Whoever deletes it waits, and finds the number on it: no number is ever without its service profile."""
    tenant = await world.tenant()
    recorder, _ = await world.fallback(tenant)
    who = (world.store, world.clock, new_id, owner(tenant))

    async def make(store: Store) -> PhoneNumber:
        return await another(store, world, tenant, phone_numbers.Changes(service_profile_id=recorder.profile.id))

    await between(make, lambda: service_profiles.delete(*who, recorder.profile.id), world)
    assert world.look(WITHOUT_PROFILE) == [(0,)]


@on_postgres
async def test_a_number_made_on_the_only_profile_as_that_is_deleted(world: World) -> None:
    """The same where nobody has named it."""
    tenant = await world.tenant()
    await phone_numbers.delete(world.store, world.clock, new_id, owner(tenant), tenant.number.id)
    who = (world.store, world.clock, new_id, owner(tenant))

    async def make(store: Store) -> PhoneNumber:
        return await another(store, world, tenant, phone_numbers.Changes())

    await between(make, lambda: service_profiles.delete(*who, tenant.profile.id), world)
    assert world.look(WITHOUT_PROFILE) == [(0,)]


@on_postgres
async def test_a_number_moved_to_a_profile_that_is_being_deleted(world: World) -> None:
    """The same where the number was there before."""
    tenant = await world.tenant()
    recorder, _ = await world.fallback(tenant)
    who = (world.store, world.clock, new_id, owner(tenant))

    async def move(store: Store) -> PhoneNumber:
        changes = phone_numbers.Changes(service_profile_id=recorder.profile.id)
        return await phone_numbers.update(store, world.clock, new_id, owner(tenant), tenant.number.id, changes)

    await between(move, lambda: service_profiles.delete(*who, recorder.profile.id), world)
    assert world.look(WITHOUT_PROFILE) == [(0,)]


@on_postgres
async def test_a_profile_that_is_deleted_as_another_is_to_fall_back_on_it(world: World) -> None:
    """Whoever deletes it waits, and is told which one falls back on it."""
    tenant = await world.tenant()
    recorder, _ = await world.fallback(tenant)
    who = (world.clock, new_id)

    async def fall_back(store: Store) -> Any:
        changes = service_profiles.Changes(fallback_id=recorder.profile.id)
        return await service_profiles.update(store, *who, SEALER, owner(tenant), tenant.profile.id, changes)

    delete = service_profiles.delete
    changed, refused = await between(
        fall_back, lambda: delete(world.store, *who, owner(tenant), recorder.profile.id), world
    )
    assert changed.fallback_id == recorder.profile.id
    assert isinstance(refused, Invalid)


@on_postgres
async def test_two_profiles_that_are_made_to_fall_back_on_each_other(world: World) -> None:
    """At once: one waits for the other, and neither is refused."""
    tenant = await world.tenant()
    recorder, _ = await world.fallback(tenant)
    first, second = tenant.profile.id, recorder.profile.id

    async def fall_back(store: Store, id_: Id, on: Id) -> Any:
        changes = service_profiles.Changes(fallback_id=on)
        return await service_profiles.update(store, world.clock, new_id, SEALER, owner(tenant), id_, changes)

    ended = await asyncio.gather(
        *(fall_back(world.store, *pair) for pair in ((first, second), (second, first)) * 4), return_exceptions=True
    )
    assert not [each for each in ended if isinstance(each, BaseException)]


async def test_a_number_without_its_profile_stops_no_worker(
    world: World, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lane is left alone, which is told of once, until it is on one that there is; the others are served."""
    told: list[str] = []
    monkeypatch.setattr(dispatcher.log, "error", lambda event, **_: told.append(event))
    tenant, other = await world.tenant(), await world.tenant("otherbank")
    astray = await world.set(tenant.number, service_profile_id=new_id())
    await world.engagement(tenant, 1)
    worker = workers.start()
    await until(lambda: told)
    await world.engagement(other, 1)
    await until(lambda: worker.carrier.submitted)
    await worker.looks()
    await worker.looks()
    assert [text.account_id for text in worker.carrier.submitted] == [other.account_id]
    assert [lane for (lane,) in world.look("SELECT phone_number_id FROM lanes")] == [other.number.id]
    assert len(told) == 1
    await world.set(astray, service_profile_id=tenant.profile.id, updated_at=astray.updated_at + 1)
    await until(lambda: len(worker.carrier.submitted) == 2)


# an engagement that completes


@on_postgres
async def test_envelopes_added_while_the_engagement_completes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told that they were added is right: the engagement is not completed over them, and they are texted.

    They come when the last receipt is being stored and the ledger was read.
    """
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    (sent,) = world.carrier.submitted
    read, added = ledgers.read, list[Any]()

    async def read_and_be_overtaken(*args: Any) -> Any:
        found = await read(*args)
        if not added:
            added.append(None)
            new = [NewEnvelope(recipient(7), '{"first-name":"Ben"}')]
            add = envelopes.add(world.store, world.clock, new_id, owner(tenant), [engagement.id], new, str)
            added[0] = await let_in(world, add)
        return found

    monkeypatch.setattr(ledgers, "read", read_and_be_overtaken)
    recorder.receipts([receipt_for(sent)])
    await recorder.commit()
    (refused,) = await asyncio.gather(*added, return_exceptions=True)
    if isinstance(refused, Invalid):
        return  # it was completed before
    for _ in range(2):  # every look that a worker takes
        await Scheduler(world.store, world.clock, new_id).sweep()
        await sender.turn()
    assert world.carrier.recipients == [recipient(0), recipient(7)], world.engagement_status(engagement)


@on_postgres
async def test_an_engagement_that_has_completed_takes_no_envelopes(world: World) -> None:
    """Whoever adds them waits for the commit that completes it, and is refused."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()

    async def receipt(store: Store) -> None:
        own = world.recorder(tenant, store)
        own.receipts([receipt_for(world.carrier.submitted[0])])
        await own.commit()

    async def add() -> None:
        new = [NewEnvelope(recipient(7), "{}")]
        await envelopes.add(world.store, world.clock, new_id, owner(tenant), [engagement.id], new, str)

    with pytest.raises(Invalid, match="completed and takes no more envelopes"):
        await in_order(world, receipt, add)
    assert (await world.ledger(engagement)).total == 1


# a number that is deleted or switched off


Make = Callable[[Store], Awaitable[Any]]


async def makes(world: World, tenant: Tenant, number: PhoneNumber, what: str) -> Make:
    """What makes a text, an activity or a sender pool of a number."""
    who = (world.clock, new_id, owner(tenant))
    message = await text_messages.create(world.store, *who, text_messages.Changes(body="Hello", is_draft=False))
    engagement = await engagements.create(world.store, *who, Changes(name="Blast"))
    template = await text_templates.create(world.store, *who, name="Template", body="Hello")
    running = await world.engagement(tenant, 1)

    async def make(store: Store) -> Any:
        if what == "pool":
            return await engagements.update(store, *who, running.id, Changes(phone_number_ids=[number.id]))
        if what == "text":
            new = texts.New(to=recipient(9), text_message_id=message.message.id, phone_number_id=number.id)
            return await texts.create(store, *who, new, max_segments=3)
        return await activities.create(
            store,
            *who,
            name="Blast",
            engagement_id=engagement.engagement.id,
            phone_number_id=number.id,
            text_template_id=template.template.id,
        )

    return make


@on_postgres
@pytest.mark.parametrize("what", ["text", "activity", "pool"])
async def test_a_number_deleted_while_something_is_made_of_it(world: World, what: str) -> None:
    """Whoever deletes it waits, and switches it off: nothing ever has a number that is not there, and waits for it."""
    tenant = await world.tenant()
    number = await world.second_number(tenant)
    who = (world.store, world.clock, new_id, owner(tenant))
    make = await makes(world, tenant, number, what)
    made, deleted = await between(make, lambda: phone_numbers.delete(*who, number.id), world)
    assert not isinstance(made, BaseException)
    assert deleted is None
    assert world.look("SELECT is_active FROM phone_numbers WHERE id = ?", number.id) == [(False,)]


@on_postgres
async def test_a_text_from_the_only_number_as_that_is_deleted(world: World) -> None:
    """The same where nobody has named it."""
    tenant = await world.tenant()
    who = (world.clock, new_id, owner(tenant))
    message = await text_messages.create(world.store, *who, text_messages.Changes(body="Hello", is_draft=False))

    async def make(store: Store) -> Text:
        new = texts.New(to=recipient(9), text_message_id=message.message.id)
        return await texts.create(store, *who, new, max_segments=3)

    await between(make, lambda: phone_numbers.delete(world.store, *who, tenant.number.id), world)
    assert world.look("SELECT is_active FROM phone_numbers") == [(False,)]


@on_postgres
@pytest.mark.parametrize("what", ["text", "activity", "pool"])
async def test_something_made_of_a_number_that_is_being_deleted(world: World, what: str) -> None:
    """Whoever makes it waits, and is told that there is no such number."""
    tenant = await world.tenant()
    number = await world.second_number(tenant)
    who = (world.clock, new_id, owner(tenant))
    make = await makes(world, tenant, number, what)
    with pytest.raises(Invalid) as refused:
        await in_order(world, lambda store: phone_numbers.delete(store, *who, number.id), lambda: make(world.store))
    assert [problem.code for problem in refused.value.problems] == [Code.UNKNOWN_TARGET]


@on_postgres
@pytest.mark.parametrize("is_single", [False, True])
async def test_a_number_switched_off_while_an_intent_is_written(world: World, is_single: bool) -> None:
    """Whoever switches it off is answered once that is committed: no text of it is written after the answer."""
    tenant = await world.tenant()
    await (world.single(tenant, recipient(9)) if is_single else world.engagement(tenant, 1))
    sender = await world.sender(tenant, world.recorder(tenant))

    async def turn(store: Store) -> None:
        sender._store = store
        await sender.turn()

    async def switch_off() -> int:
        changes = phone_numbers.Changes(is_active=False)
        await phone_numbers.update(world.store, world.clock, new_id, owner(tenant), tenant.number.id, changes)
        return len(world.look("SELECT id FROM texts WHERE status = 'sending'"))

    assert await in_order(world, turn, switch_off) == 1


@on_postgres
@pytest.mark.parametrize("is_single", [False, True])
async def test_an_intent_waits_for_its_number_to_be_switched_off(world: World, is_single: bool) -> None:
    """And nothing of it is written then."""
    tenant = await world.tenant()
    await (world.single(tenant, recipient(9)) if is_single else world.engagement(tenant, 1))
    sender = await world.sender(tenant, world.recorder(tenant))

    async def switch_off(store: Store) -> None:
        changes = phone_numbers.Changes(is_active=False)
        await phone_numbers.update(store, world.clock, new_id, owner(tenant), tenant.number.id, changes)

    await in_order(world, switch_off, sender.turn)
    assert world.look("SELECT id FROM texts WHERE status = 'sending'") == []
    assert world.carrier.submitted == []


@on_postgres
async def test_an_engagement_paused_while_its_number_is_waited_for(world: World) -> None:
    """Whoever waited for the number looks at the engagement after that: both are locked, and read anew."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    sender = await world.sender(tenant, world.recorder(tenant))

    async def change(store: Store) -> None:
        changes = phone_numbers.Changes(label="Ours")
        await phone_numbers.update(store, world.clock, new_id, owner(tenant), tenant.number.id, changes)

    paused = Paused(world.store)
    changing = asyncio.ensure_future(change(paused))
    await paused.reached.wait()
    turn = asyncio.ensure_future(sender.turn())
    await waits(world, turn)
    who = (world.store, world.clock, new_id, owner(tenant))
    await engagements.update(*who, engagement.id, Changes(status="paused"))
    paused.go_on.set()
    await asyncio.gather(changing, turn)
    assert world.carrier.submitted == []


@on_postgres
async def test_a_number_deleted_as_its_worker_begins_a_batch(world: World) -> None:
    """Who needs both takes the lane first, then the number: the worker finds its lane gone, and nobody is refused."""
    tenant = await world.tenant()
    lease = await world.lease(tenant.number)
    to_number, begun = references.to_number, list[Any]()

    async def batch() -> None:
        async with world.store.writing() as tx:
            await lanes.require(tx, lease)
            await lanes.hold_on(tx, tenant.account_id, tenant.number.id)

    async def overtaken(*args: Any) -> bool:
        begun.append(await let_in(world, batch()))
        return await to_number(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "to_number", overtaken)
        await phone_numbers.delete(world.store, world.clock, new_id, owner(tenant), tenant.number.id)
    (ended,) = await asyncio.gather(*begun, return_exceptions=True)
    assert isinstance(ended, Fenced)
    assert world.look("SELECT (SELECT count(*) FROM phone_numbers), (SELECT count(*) FROM lanes)") == [(0, 0)]


# what handsets say meanwhile


def over(profile: ServiceProfile, world: World, store: Store | None = None) -> Recorder:
    """The recorder of a service profile's connection."""
    recorder = Recorder(profile, world.carrier, store or world.store, world.clock, new_id, lambda: 0.0)
    world.carrier.start(recorder)
    return recorder


async def say(recorder: Recorder, number: PhoneNumber, word: str = "STOP") -> None:
    """A handset says it to a number, and it is stored."""
    recorder.inbound([Inbound(recipient(0), number.phone_number, word, 7)])
    await recorder.commit()


@everywhere
async def test_a_stop_that_comes_over_the_old_carrier_as_its_number_is_moved(world: World) -> None:
    """The number is on another service profile by then: it counts all the same, and is answered over the new one."""
    tenant = await world.tenant()
    old = over(tenant.profile, world)
    new, _ = await world.fallback(tenant)
    changes = phone_numbers.Changes(service_profile_id=new.profile.id)
    await phone_numbers.update(world.store, world.clock, new_id, owner(tenant), tenant.number.id, changes)
    await say(old, tenant.number)
    assert world.carrier.acknowledged == [(7, True)]
    assert world.look("SELECT phone_number FROM suppressions") == [(recipient(0),)]
    assert world.look("SELECT service_profile_id FROM texts WHERE direction = 'outbound'") == [(new.profile.id,)]


@everywhere
async def test_a_login_does_not_speak_for_its_neighbours_other_numbers(world: World) -> None:
    """Of another account on the same login only what it has there is reached: its other numbers have other carriers."""
    one, other = await world.tenant(), await world.tenant("secondbank")
    elsewhere, _ = await world.fallback(other)
    moved = await world.set(other.number, phone_number="+12025550111", service_profile_id=elsewhere.profile.id)
    await say(over(one.profile, world), moved)
    assert world.look("SELECT count(*) FROM texts") == [(0,)]
    await world.set(moved, service_profile_id=other.profile.id)
    await say(over(one.profile, world), moved)
    assert world.look("SELECT account_id FROM suppressions") == [(other.account_id,)]


@everywhere
async def test_an_account_with_two_profiles_on_one_login_hears_once(world: World) -> None:
    """Whichever of them the number is on, and whichever the text comes over."""
    tenant = await world.tenant()
    twin = msgspec.structs.replace(tenant.profile, id=new_id(), name="Twin")
    async with world.store.writing() as tx:
        await rows.insert(tx, twin)
    await say(over(twin, world), tenant.number, "Hello")
    await say(over(tenant.profile, world), tenant.number, "Hello again")
    assert world.look("SELECT count(*) FROM texts") == [(2,)]


@on_postgres
async def test_a_number_deleted_while_a_text_to_it_is_stored(world: World) -> None:
    """Whoever deletes it waits, and switches it off: our answer goes out by the lane of a number that is there."""
    tenant = await world.tenant()
    who = (world.store, world.clock, new_id, owner(tenant))
    await in_order(
        world,
        lambda store: say(over(tenant.profile, world, store), tenant.number),
        lambda: phone_numbers.delete(*who, tenant.number.id),
    )
    assert world.look("SELECT is_active FROM phone_numbers") == [(False,)]


Safeguard = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]


def _share_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rows, "_hold_shared", rows._select_many)


HELD_BY: dict[str, tuple[Safeguard, Behaviour]] = {
    "the profile that is named": (_share_nothing, test_a_number_made_on_a_profile_that_is_being_deleted),
    "the only profile": (_share_nothing, test_a_number_made_on_the_only_profile_as_that_is_deleted),
    "the profile of a number that is moved": (_share_nothing, test_a_number_moved_to_a_profile_that_is_being_deleted),
    "a text's number": (
        _share_nothing,
        lambda world: test_a_number_deleted_while_something_is_made_of_it(world, "text"),
    ),
    "an activity's number": (
        _share_nothing,
        lambda world: test_a_number_deleted_while_something_is_made_of_it(world, "activity"),
    ),
    "a pool's number": (
        _share_nothing,
        lambda world: test_a_number_deleted_while_something_is_made_of_it(world, "pool"),
    ),
    "the only number": (_share_nothing, test_a_text_from_the_only_number_as_that_is_deleted),
    "the number of a text that comes in": (_share_nothing, test_a_number_deleted_while_a_text_to_it_is_stored),
    "the lane before its number": (
        lambda patch: patch.setattr(lanes, "_HOLD", lanes._KEY),
        test_a_number_deleted_as_its_worker_begins_a_batch,
    ),
    "the number of a batch": (
        lambda patch: loose(patch, work, "_STILL_RUNNING"),
        lambda world: test_a_number_switched_off_while_an_intent_is_written(world, is_single=False),
    ),
    "the number of single texts": (
        lambda patch: loose(patch, lanes, "_HOLD_ON"),
        lambda world: test_a_number_switched_off_while_an_intent_is_written(world, is_single=True),
    ),
}


@on_postgres
@pytest.mark.parametrize("name", HELD_BY)
async def test_the_test_notices(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without its safeguard the behaviour's test fails."""
    take_away, behaviour = HELD_BY[name]
    take_away(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, Unavailable, pytest.fail.Exception)):
        await behaviour(world)
