"""Two who write at once: what tests of such races share.

`in_order` stops the first writer before its commit until the second one waits for it; `between` until the second one
has ended or waits; where a race lies within one transaction, another writer is let in right there (`let_in`). That
somebody waits for a lock is read from the server.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch.world import HookedStore, Tenant, World
from opengage.domain.records import Contact, ContactList, Engagement
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, new_id
from opengage.operations import contact_lists
from opengage.operations.actors import OWNER, Actor
from opengage.store import contacts, rows
from opengage.store.contract import Store

WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


everywhere = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)
on_postgres = pytest.mark.parametrize("world", ["postgres"], indirect=True)


class Paused(HookedStore):
    """A store whose next writing block stops before its commit, until it is let go on."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.before_commit = self._stop

    async def _stop(self) -> None:
        self.reached.set()
        await self.go_on.wait()


async def waits(world: World, task: "asyncio.Task[Any]") -> None:
    """Return once somebody waits for a lock, and make sure that it is this task."""
    async with asyncio.timeout(10):
        while not task.done() and not world.look(WAITING)[0][0]:
            await asyncio.sleep(0.005)
    assert not task.done()


async def in_order(world: World, first: Callable[[Store], Awaitable[Any]], second: Callable[[], Awaitable[Any]]) -> Any:
    """Run both; the second begins when the first is about to commit, and waits for it. What the second returns."""
    paused = Paused(world.store)
    one = asyncio.ensure_future(first(paused))
    await paused.reached.wait()
    other = asyncio.ensure_future(second())
    try:
        await waits(world, other)
    finally:
        paused.go_on.set()
        ended = await asyncio.gather(one, other, return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return ended[1]


async def let_in(world: World, work: Awaitable[Any]) -> "asyncio.Future[Any]":
    """Another writer, who has ended by now or waits for a lock: await it when your own work is done."""
    task = asyncio.ensure_future(work)
    for _ in range(200):
        if task.done() or world.look(WAITING)[0][0]:
            break
        await asyncio.sleep(0.01)
    return task


async def between(first: Callable[[Store], Awaitable[Any]], second: Callable[[], Awaitable[Any]], world: World) -> Any:
    """The second begins when the first is about to commit, and ends before it unless it waits for it.

    What each returned or raised.
    """
    paused = Paused(world.store)
    one = asyncio.ensure_future(first(paused))
    await paused.reached.wait()
    try:
        other = await let_in(world, second())
    finally:
        paused.go_on.set()
    return await asyncio.gather(one, other, return_exceptions=True)


def owner(tenant: Tenant) -> Actor:
    """The tenant's owner."""
    return Actor(tenant.account_id, "firstbank", tenant.member, OWNER)


def common(world: World, tenant: Tenant) -> dict[str, Any]:
    """What a record owes to its account and author."""
    now = world.clock.now()
    author = {"created_by": tenant.member, "updated_by": tenant.member}
    return {"account_id": tenant.account_id, "created_at": now, "updated_at": now, **author}


async def contact(world: World, tenant: Tenant, number: str, **values: Any) -> Contact:
    """A person of the address book."""
    made = Contact(**common(world, tenant), id=new_id(), phone_number=number, phone_numbers=f'["{number}"]', **values)
    async with world.store.writing() as tx:
        await rows.insert(tx, made)
    return made


async def a_list(world: World, tenant: Tenant, *people: Contact) -> Id:
    """A list of these people."""
    made = ContactList(**common(world, tenant), id=new_id(), title="People")
    async with world.store.writing() as tx:
        await rows.insert(tx, made)
        await contacts.add_members(tx, tenant.account_id, made.id, [each.id for each in people])
    return made.id


async def pending(world: World, tenant: Tenant, *list_ids: Id) -> Engagement:
    """An engagement that is not scheduled yet and addresses these lists."""
    engagement = await world.engagement(tenant, 0, status=EngagementStatus.PENDING)
    await contact_lists.address_these(world.store, world.clock, owner(tenant), engagement.id, list_ids)
    return engagement


# safeguards taken away


async def nothing(*_: Any, **__: Any) -> None:
    """What does no longer what it did."""


def loosened(statement: Any) -> Any:
    """The same statement, but it holds nothing of what it reads."""
    loose = statement._generate()
    loose._for_update_arg = None
    return loose


def loose(patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Let a module's statement hold nothing of what it reads."""
    patch.setattr(module, name, loosened(getattr(module, name)))
