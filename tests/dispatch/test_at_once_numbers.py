"""Phone numbers and service profiles that are changed or deleted while something is made of them or goes over them.

Any order of the two that a single writer could have come to is as good as the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch.at_once import between, in_order, let_in, on_postgres, owner
from dispatch.workers import Workers
from dispatch.world import Tenant, World, accept, receipt_for, recipient, until
from opengage.dispatch import dispatcher
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.errors import Invalid
from opengage.domain.records import PhoneNumber
from opengage.ids import Id, new_id
from opengage.operations import envelopes, phone_numbers, service_profiles
from opengage.store import ledgers, rows
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


Safeguard = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]


def _share_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rows, "_hold_shared", rows._select_many)


HELD_BY: dict[str, tuple[Safeguard, Behaviour]] = {
    "the profile that is named": (_share_nothing, test_a_number_made_on_a_profile_that_is_being_deleted),
    "the only profile": (_share_nothing, test_a_number_made_on_the_only_profile_as_that_is_deleted),
    "the profile of a number that is moved": (_share_nothing, test_a_number_moved_to_a_profile_that_is_being_deleted),
}


@on_postgres
@pytest.mark.parametrize("name", HELD_BY)
async def test_the_test_notices(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without its safeguard the behaviour's test fails."""
    take_away, behaviour = HELD_BY[name]
    take_away(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await behaviour(world)
