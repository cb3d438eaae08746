"""People of an address book, whom two write about at once: they are imported, listed, texted, and forgotten.

What of it lies between two transactions of one worker is looked at on SQLite too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.at_once import (
    Paused,
    a_list,
    between,
    common,
    contact,
    everywhere,
    in_order,
    let_in,
    loose,
    loosened,
    nothing,
    on_postgres,
    owner,
    pending,
    waits,
)
from dispatch.test_concurrent import change
from dispatch.world import HookedStore, Tenant, World, recipient
from opengage.dispatch import importer
from opengage.dispatch.eraser import Eraser
from opengage.dispatch.importer import Importer
from opengage.domain.erasures import ErasureStatus
from opengage.domain.imports import Person
from opengage.domain.outcomes import Deferred
from opengage.domain.records import ContactImport, Upload
from opengage.domain.states import Reason
from opengage.ids import Id, new_id
from opengage.operations import (
    contact_imports,
    contact_lists,
    contacts,
    copies,
    engagements,
    erasures,
    tags,
    text_templates,
)
from opengage.operations.engagement_changes import Changes
from opengage.operations.reading import load
from opengage.store import contacts as stored_contacts
from opengage.store import imports, rows
from opengage.store.blobs import Blobs
from opengage.store.contract import Stale, Store
from opengage.store.postgres.transaction import PostgresTransaction

ANN, BEN = recipient(40), recipient(41)


async def erase(world: World, tenant: Tenant, number: str, path: Path) -> None:
    """An owner has a number forgotten; a worker does it."""
    await erasures.begin(world.store, world.clock, new_id, owner(tenant), number)
    await Eraser(world.store, Blobs(path), world.clock, new_id).turn()


@on_postgres
async def test_an_erasure_waits_for_the_text_that_is_being_written(world: World, tmp_path: Path) -> None:
    """The look at their envelopes waits for the sender, and then knows of its text. The erasure waits for the end of
    that one, and what the carrier puts off is sent again as it was."""
    tenant = await world.tenant()
    await world.engagement(tenant, [ANN])
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)

    async def intend(store: Store) -> None:
        sender._store = store
        await sender.turn()
        sender._store = world.store

    await in_order(world, intend, lambda: erase(world, tenant, ANN, tmp_path))
    world.carrier.answer = lambda each: Deferred(each.text_id, "88", throttled=True)
    (sent,) = world.carrier.submitted
    recorder.outcomes([Deferred(sent.text_id, "88", throttled=True)])
    await recorder.commit()
    world.wait(60, sender)
    await sender.turn()
    assert {(each.recipient, each.body) for each in world.carrier.submitted} == {(ANN, "Hello Ann")}
    assert world.look("SELECT status FROM erasures") == [(ErasureStatus.WAITING.value,)]


@on_postgres
async def test_an_erasure_while_a_list_becomes_envelopes(world: World, tmp_path: Path) -> None:
    """Whose contact has just become an envelope is found in that engagement, and not texted."""
    tenant = await world.tenant()
    people = await a_list(world, tenant, await contact(world, tenant, ANN, first_name="Ann"))
    engagement = await pending(world, tenant, people)
    done, _ = await between(
        lambda store: change(store, world, engagement, "scheduled"),
        lambda: erase(world, tenant, ANN, tmp_path),
        world,
    )
    assert not isinstance(done, BaseException), done
    assert world.look("SELECT status FROM erasures") == [("completed",)]
    world.change("UPDATE engagements SET status = 'processing'")
    sender = await world.sender(tenant, world.recorder(tenant))
    await sender.turn()
    assert ANN not in world.carrier.recipients


@on_postgres
async def test_a_list_named_while_its_engagement_is_scheduled(world: World) -> None:
    """There was no list when scheduling began, and it took no turn: it is told to send it again, and nobody is lost."""
    tenant = await world.tenant()
    list_id = await a_list(world, tenant, await contact(world, tenant, ANN))
    engagement = await pending(world, tenant)

    def name(store: Store) -> Awaitable[None]:
        return contact_lists.address_these(store, world.clock, owner(tenant), engagement.id, [list_id])

    async def schedule() -> None:
        await change(world.store, world, engagement, "scheduled")

    with pytest.raises(Stale):
        await in_order(world, name, schedule)
    await schedule()
    assert world.look("SELECT phone_number FROM envelopes") == [(ANN,)]


@everywhere
async def test_an_erasure_while_an_engagement_is_copied(world: World, tmp_path: Path) -> None:
    """Whom a copy has taken over before is found in it; afterwards it takes over nobody who is forgotten."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [ANN, BEN])
    await change(world.store, world, engagement, "canceled")
    hooked, blocks = HookedStore(world.store), list[int]()

    async def overtaken() -> None:
        blocks.append(1)
        if len(blocks) == 2:  # the copy is made, its recipients are read
            await erase(world, tenant, ANN, tmp_path)

    hooked.before_writing = overtaken
    who = (hooked, world.clock, new_id, owner(tenant))
    await copies.copy(*who, engagement.id, envelopes="everybody", charge=lambda _: None)
    assert world.look("SELECT status FROM erasures") == [("completed",)]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number = ?", ANN) == [(0,)]


@on_postgres
async def test_an_erasure_while_recipients_are_copied(world: World, tmp_path: Path) -> None:
    """It waits for the batch that is being written, and forgets them in the copy too."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [ANN, BEN])
    await change(world.store, world, engagement, "canceled")
    copy = await copies.copy(world.store, world.clock, new_id, owner(tenant), engagement.id, charge=lambda _: None)
    hooked, blocks, paused = HookedStore(world.store), list[Any](), Paused(world.store)

    async def overtaken() -> None:
        blocks.append(None)
        if len(blocks) == 3:  # begun, and the contacts gone through: this is the engagement's turn
            who = (paused, world.clock, new_id, owner(tenant), engagement.id, copy.engagement.id)
            blocks.append(asyncio.ensure_future(copies._take_over(*who, frozenset(Reason))))
            await paused.reached.wait()

    hooked.before_writing = overtaken
    await erasures.begin(world.store, world.clock, new_id, owner(tenant), ANN)
    erasing = asyncio.ensure_future(Eraser(hooked, Blobs(tmp_path), world.clock, new_id).turn())
    try:
        await waits(world, erasing)
    finally:
        paused.go_on.set()
        await asyncio.gather(erasing, blocks[3])
    assert world.look("SELECT status FROM erasures") == [("completed",)]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number = ?", ANN) == [(0,)]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number = ?", BEN) == [(2,)]


@everywhere
async def test_an_engagement_copied_while_an_erasure_looks_through_them(world: World, tmp_path: Path) -> None:
    """A copy that was made after the round had listed the engagements is gone through too."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [ANN, BEN])
    await change(world.store, world, engagement, "canceled")
    hooked, blocks = HookedStore(world.store), list[int]()

    async def overtaken() -> None:
        blocks.append(1)
        if len(blocks) == 3:  # begun, and the contacts gone through: this is the engagement's turn
            who = (world.store, world.clock, new_id, owner(tenant))
            await copies.copy(*who, engagement.id, envelopes="everybody", charge=lambda _: None)

    hooked.before_writing = overtaken
    await erasures.begin(world.store, world.clock, new_id, owner(tenant), ANN)
    await Eraser(hooked, Blobs(tmp_path), world.clock, new_id).turn()
    assert world.look("SELECT status FROM erasures") == [("completed",)]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number = ?", ANN) == [(0,)]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number = ?", BEN) == [(2,)]


async def uploaded(world: World, tenant: Tenant, blob: str, **values: Any) -> Upload:
    """A file of people that has come."""
    now = world.clock.now()
    upload = Upload(
        **common(world, tenant),
        **values,
        id=new_id(),
        name="people.csv",
        content_type="text/csv",
        key="k" * 32,
        expires_at=now,
        blob=blob,
        size_in_bytes=17,
    )
    async with world.store.writing() as tx:
        await rows.insert(tx, upload)
    return upload


def ask_to_import(world: World, tenant: Tenant, upload: Upload, store: Store) -> Awaitable[Any]:
    """POST /contact-imports."""
    wanted = contact_imports.Wanted(upload_id=upload.id)
    return contact_imports.create(store, world.clock, new_id, owner(tenant), wanted, lambda _: None)


@everywhere
async def test_an_erasure_while_an_import_ends(world: World, tmp_path: Path) -> None:
    """An import that was open when a round began may have brought the person back behind it: there is another round."""
    tenant = await world.tenant()
    blobs = Blobs(tmp_path)
    async with blobs.arriving() as arrived:
        await arrived.write(f"phone\n{ANN}\n".encode())
    upload = await uploaded(world, tenant, arrived.name)
    await ask_to_import(world, tenant, upload, world.store)
    hooked, blocks = HookedStore(world.store), list[int]()

    async def overtaken() -> None:
        blocks.append(1)
        if len(blocks) == 3:  # begun, and the contacts gone through
            assert await Importer(world.store, blobs, world.clock, new_id, "w").turn()

    hooked.before_writing = overtaken
    await erasures.begin(world.store, world.clock, new_id, owner(tenant), ANN)
    await Eraser(hooked, blobs, world.clock, new_id).turn()
    assert world.look("SELECT status, count_created FROM contact_imports") == [("completed", 1)]
    assert world.look("SELECT status FROM erasures") == [("waiting",)]
    world.clock.advance(61)
    await Eraser(world.store, blobs, world.clock, new_id).turn()
    assert world.look("SELECT status FROM erasures") == [("completed",)]
    assert world.look("SELECT count(*) FROM contacts") == [(0,)]


def members(world: World) -> set[Id]:
    """Who is on any list."""
    return {id_ for (id_,) in world.look("SELECT contact_id FROM list_contacts")}


@on_postgres
async def test_a_list_replaced_twice_at_once(world: World) -> None:
    """Of two PUTs that each name all contacts of a list the later one holds, never both."""
    tenant = await world.tenant()
    ann, ben, cid = [await contact(world, tenant, recipient(each)) for each in (40, 41, 42)]
    id_ = await a_list(world, tenant, cid)
    await in_order(
        world,
        lambda store: contact_lists.replace(store, owner(tenant), id_, [ann.id]),
        lambda: contact_lists.replace(world.store, owner(tenant), id_, [ben.id]),
    )
    assert members(world) in ({ann.id}, {ben.id})


@on_postgres
async def test_a_contact_put_on_other_lists_twice_at_once(world: World) -> None:
    """The same from the contact's side."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN)
    await a_list(world, tenant, ann)
    one, two = await a_list(world, tenant), await a_list(world, tenant)
    await in_order(
        world,
        lambda store: contact_lists.join(store, owner(tenant), ann.id, [one], only=True),
        lambda: contact_lists.join(world.store, owner(tenant), ann.id, [two], only=True),
    )
    assert world.look("SELECT count(*) FROM list_contacts") == [(1,)]


@on_postgres
@pytest.mark.parametrize("gone", ["list", "contact"])
async def test_a_member_of_something_that_is_gone(world: World, gone: str) -> None:
    """Nobody is on a list that is deleted meanwhile, nor is a contact on one that is deleted itself."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN)
    id_ = await a_list(world, tenant)

    async def delete() -> None:
        if gone == "list":
            await contact_lists.delete(world.store, owner(tenant), id_)
        else:
            await contacts.delete(world.store, owner(tenant), [ann.id], None)

    await between(lambda store: contact_lists.add(store, owner(tenant), id_, [ann.id]), delete, world)
    assert world.look("SELECT count(*) FROM list_contacts") == [(0,)]


@on_postgres
async def test_a_contact_moved_between_lists_while_they_become_envelopes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is on one of an engagement's lists at every moment is texted."""
    tenant = await world.tenant()
    ann, ben = await contact(world, tenant, ANN), await contact(world, tenant, BEN)
    first, second = sorted([await a_list(world, tenant, ben), await a_list(world, tenant, ann)])
    engagement = await pending(world, tenant, first, second)
    look, moved = stored_contacts.members_to_address, list[Any]()

    async def overtaken(*args: Any) -> Any:
        if args[2] == second and not moved:
            join = contact_lists.join(world.store, owner(tenant), ann.id, [first], only=True)
            moved.append(await let_in(world, join))
        return await look(*args)

    monkeypatch.setattr(stored_contacts, "members_to_address", overtaken)
    await change(world.store, world, engagement, "scheduled")
    await asyncio.gather(*moved)
    assert set(world.reasons()) == {ANN, BEN}


@on_postgres
async def test_a_contact_on_two_lists_gets_another_number_while_they_become_envelopes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contact is texted on one number, the old one or the new."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN)
    first, second = sorted([await a_list(world, tenant, ann), await a_list(world, tenant, ann)])
    engagement = await pending(world, tenant, first, second)
    look, changed = stored_contacts.members_to_address, list[Any]()

    async def overtaken(*args: Any) -> Any:
        if args[2] == second and not changed:
            new = contacts.Changes(phone_number=BEN)
            changed.append(await let_in(world, contacts.update(world.store, world.clock, owner(tenant), ann.id, new)))
        return await look(*args)

    monkeypatch.setattr(stored_contacts, "members_to_address", overtaken)
    await change(world.store, world, engagement, "scheduled")
    await asyncio.gather(*changed)
    assert len(world.reasons()) == 1


@on_postgres
@pytest.mark.parametrize("gone", ["list", "contact"])
async def test_a_list_is_filled_by_an_import_while_something_is_deleted(
    world: World, tmp_path: Path, gone: str
) -> None:
    """Whom the batch at hand puts on a list is on it no more when the list, or the contact itself, is deleted."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN)
    id_ = await a_list(world, tenant)
    made = common(world, tenant) | {"list_id": id_}
    job = ContactImport(**made, id=new_id(), unique_primary_phone=True, upload_id=new_id())
    async with world.store.writing() as tx:
        await rows.insert(tx, job)

    async def take_in(store: Store) -> None:
        work = Importer(store, Blobs(tmp_path), world.clock, new_id, "w")
        async with store.writing() as tx:
            await work._take_in(tx, job, [(1, Person([ANN], "Ann", None, [], None, {}))])

    async def delete() -> None:
        if gone == "list":
            await contact_lists.delete(world.store, owner(tenant), id_)
        else:
            await contacts.delete(world.store, owner(tenant), [ann.id], None)

    await in_order(world, take_in, delete)
    assert world.look("SELECT count(*) FROM list_contacts") == [(0,)]


@on_postgres
@pytest.mark.parametrize("how", ["create", "update", "address"])
async def test_a_list_deleted_while_an_engagement_is_told_of_it(world: World, how: str) -> None:
    """No engagement addresses a list that is gone."""
    tenant = await world.tenant()
    id_ = await a_list(world, tenant)
    engagement = await pending(world, tenant)
    changes = Changes(name="Blast", list_ids=[id_])

    async def tell(store: Store) -> Any:
        who = (store, world.clock, new_id, owner(tenant))
        if how == "create":
            return await engagements.create(*who, changes)
        if how == "update":
            return await engagements.update(*who, engagement.id, changes)
        return await contact_lists.address_these(store, world.clock, owner(tenant), engagement.id, [id_])

    await in_order(world, tell, lambda: contact_lists.delete(world.store, owner(tenant), id_))
    assert world.look("SELECT count(*) FROM engagement_lists") == [(0,)]


@on_postgres
async def test_a_contact_changed_while_it_is_imported(world: World) -> None:
    """An import that has to wait for a PATCH goes on from what that one has written."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN, meta='{"city":"Rome"}')
    said = contacts.Changes(phone_number=ANN, first_name="Ann", phone_numbers=[ANN, BEN])
    combine = importer._combine

    async def patch(store: Store) -> None:
        new = contacts.Changes(meta={"city": "Oslo"})
        await contacts.update(store, world.clock, owner(tenant), ann.id, new)

    async def take_in() -> None:
        async with world.store.writing() as tx:
            author, now = (tenant.account_id, tenant.member), world.clock.now()
            values = contacts._values(said, {}, [], "/data") | {"meta": '{"age":"9"}', "emails": "[]"}
            await contacts.save(tx, new_id, author, now, [values], unique=True, combine=combine)

    await in_order(world, patch, take_in)
    ((meta,),) = world.look("SELECT meta FROM contacts")
    assert msgspec.json.decode(meta) == {"city": "Oslo", "age": "9"}


@on_postgres
async def test_a_contact_that_gets_another_number_while_it_is_imported(world: World) -> None:
    """A contact's primary number is the first of its numbers, whatever comes in for the one that it had."""
    tenant = await world.tenant()
    ann = await contact(world, tenant, ANN)
    said = contacts.New(contacts.Changes(phone_numbers=[ANN, recipient(43)]))

    async def patch(store: Store) -> None:
        await contacts.update(store, world.clock, owner(tenant), ann.id, contacts.Changes(phone_number=BEN))

    async def post() -> None:
        await contacts.create(world.store, world.clock, new_id, owner(tenant), [said], str, unique=True)

    await in_order(world, patch, post)
    for primary, numbers in world.look("SELECT phone_number, phone_numbers FROM contacts"):
        assert msgspec.json.decode(numbers)[0] == primary


@on_postgres
async def test_an_upload_imported_again_while_its_file_is_forgotten(world: World, tmp_path: Path) -> None:
    """A file that somebody has just asked to import stays until that is over."""
    tenant = await world.tenant()
    upload = await uploaded(world, tenant, "ab" * 16, used_at=world.clock.now())
    world.clock.advance(1)
    ask = partial(ask_to_import, world, tenant, upload)
    await in_order(world, ask, lambda: erase(world, tenant, ANN, tmp_path))
    assert world.look("SELECT blob FROM uploads") == [(upload.blob,)]


@everywhere
async def test_an_old_upload_imported_again_is_not_swept(world: World, tmp_path: Path) -> None:
    """Its file stays as long as an import waits for it, and goes after that."""
    tenant = await world.tenant()
    upload = await uploaded(world, tenant, "ab" * 16, used_at=world.clock.now())
    world.clock.advance(8 * 86_400)
    await ask_to_import(world, tenant, upload, world.store)
    work = Importer(world.store, Blobs(tmp_path), world.clock, new_id, "w")
    await work.sweep()
    assert world.look("SELECT blob FROM uploads") == [(upload.blob,)]
    world.change("UPDATE contact_imports SET completed_at = 1")
    await work.sweep()
    assert world.look("SELECT blob FROM uploads") == [(None,)]


@on_postgres
async def test_an_old_upload_imported_again_while_such_are_swept(world: World, tmp_path: Path) -> None:
    """The sweep leaves alone what somebody is about to import."""
    tenant = await world.tenant()
    upload = await uploaded(world, tenant, "ab" * 16, used_at=world.clock.now())
    world.clock.advance(8 * 86_400)
    work = Importer(world.store, Blobs(tmp_path), world.clock, new_id, "w")
    await between(partial(ask_to_import, world, tenant, upload), work.sweep, world)
    assert world.look("SELECT blob FROM uploads") == [(upload.blob,)]


@on_postgres
async def test_a_tag_deleted_while_a_template_gets_it(world: World) -> None:
    """No template tells of a tag that is gone."""
    tenant = await world.tenant()
    who = (world.store, world.clock, new_id, owner(tenant))
    tag = await tags.create(*who, name="Tag")
    template = await text_templates.create(*who, name="Template", body="Hello")
    await between(
        lambda store: text_templates.add_tags(store, owner(tenant), template.template.id, [tag.id]),
        lambda: tags.delete(world.store, owner(tenant), tag.id),
        world,
    )
    assert world.look("SELECT count(*) FROM text_template_tags") == [(0,)]


def _no_turns(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PostgresTransaction, "take_turn", nothing)


def _loose_numbers(patch: pytest.MonkeyPatch) -> None:
    held = stored_contacts._by_numbers
    patch.setattr(stored_contacts, "_by_numbers", cache(lambda count: loosened(held(count))))


Behaviour = Callable[[World, pytest.MonkeyPatch, Path], Awaitable[None]]
HELD_BY: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Behaviour]] = {
    "turns: replaced": (_no_turns, lambda world, _, __: test_a_list_replaced_twice_at_once(world)),
    "turns: joined": (_no_turns, lambda world, _, __: test_a_contact_put_on_other_lists_twice_at_once(world)),
    "turns: list deleted": (_no_turns, lambda world, _, __: test_a_member_of_something_that_is_gone(world, "list")),
    "turns: contact deleted": (
        _no_turns,
        lambda world, _, __: test_a_member_of_something_that_is_gone(world, "contact"),
    ),
    "turns: moved": (
        _no_turns,
        lambda world, patch, _: test_a_contact_moved_between_lists_while_they_become_envelopes(world, patch),
    ),
    "turns: another number": (
        _no_turns,
        lambda world, patch, _: test_a_contact_on_two_lists_gets_another_number_while_they_become_envelopes(
            world, patch
        ),
    ),
    "turns: imported": (
        _no_turns,
        lambda world, _, path: test_a_list_is_filled_by_an_import_while_something_is_deleted(world, path, "contact"),
    ),
    "turns: addressed": (
        _no_turns,
        lambda world, _, __: test_a_list_deleted_while_an_engagement_is_told_of_it(world, "update"),
    ),
    "turns: erased": (_no_turns, lambda world, _, path: test_an_erasure_while_a_list_becomes_envelopes(world, path)),
    "turns: copied": (_no_turns, lambda world, _, path: test_an_erasure_while_recipients_are_copied(world, path)),
    "a known contact": (_loose_numbers, lambda world, _, __: test_a_contact_changed_while_it_is_imported(world)),
    "a file, and the look after it": (
        lambda patch: patch.setattr(imports, "reads", nothing),
        lambda world, _, path: test_an_upload_imported_again_while_its_file_is_forgotten(world, path),
    ),
    "a file that is swept": (
        lambda patch: loose(patch, imports, "_SPENT"),
        lambda world, _, path: test_an_old_upload_imported_again_while_such_are_swept(world, path),
    ),
    "a tag": (
        lambda patch: patch.setattr(tags, "hold", load),
        lambda world, _, __: test_a_tag_deleted_while_a_template_gets_it(world),
    ),
}


@on_postgres
@pytest.mark.parametrize("name", HELD_BY)
async def test_the_test_notices(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without its safeguard the behaviour's test fails."""
    take_away, behaviour = HELD_BY[name]
    take_away(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await behaviour(world, monkeypatch, tmp_path)
