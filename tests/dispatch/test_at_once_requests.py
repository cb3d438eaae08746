"""Requests that come at once, to the same thing or beside each other: they end as if one had come after the other.

None is told that it succeeded when it did not, none is refused for a deadlock, and none stands still behind another
that it has nothing to do with.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dispatch.at_once import WAITING, Paused, between, common, everywhere, in_order, let_in, loose, on_postgres, owner
from dispatch.workers import Workers
from dispatch.world import HookedStore, Tenant, World, recipient, until
from opengage.clock import SECOND, Instant
from opengage.dispatch.scheduler import Scheduler
from opengage.domain.callback_urls import Limits
from opengage.domain.errors import Fenced, Invalid, Unauthorized
from opengage.domain.records import Engagement, Envelope, Record, Upload, WebhookEndpoint
from opengage.ids import Id, new_id
from opengage.operations import (
    engagements,
    envelope_edits,
    envelopes,
    files,
    passwords,
    sessions,
    text_messages,
    texts,
    webhook_endpoints,
)
from opengage.operations.engagement_changes import Changes
from opengage.store import idempotency, pools, rows, work
from opengage.store import sessions as stored_sessions
from opengage.store import singles as stored_singles
from opengage.store.contract import NewEnvelope, Store, Transaction
from opengage.store.postgres.transaction import PostgresTransaction
from seals import SEALER

PASSWORD = "correct horse battery staple"


@on_postgres
async def test_a_single_text_canceled_as_it_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second leaves it alone: it is canceled, or it is sent and the cancel is refused."""
    tenant = await world.tenant()
    text = await world.single(tenant, recipient(9))
    sender = await world.sender(tenant, world.recorder(tenant))
    due = stored_singles.due

    others: list[Any] = []

    async def due_and_taken_back(*args: Any) -> Any:
        found = await due(*args)
        cancel = texts.cancel(world.store, world.clock, new_id, owner(tenant), text.id, "canceled")
        others.append(await let_in(world, cancel))
        return found

    monkeypatch.setattr(stored_singles, "due", due_and_taken_back)
    await sender.turn()
    (canceled,) = await asyncio.gather(*others, return_exceptions=True)
    assert len(world.carrier.submitted) == isinstance(canceled, Invalid)


@on_postgres
async def test_what_a_canceled_single_text_does_to_its_neighbours(
    world: World, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing: the lane stays its worker's, and what is under way is in no doubt."""
    tenant = await world.tenant()
    other = await world.single(tenant, recipient(8))
    worker = workers.start(lease_seconds=1.0)
    await until(lambda: worker.carrier.submitted)
    due, done = stored_singles.due, list[Any]()

    async def due_and_taken_back(*args: Any) -> Any:
        found = await due(*args)
        for text in found:
            if not done:
                cancel = texts.cancel(world.store, world.clock, new_id, owner(tenant), text.id, "canceled")
                done.append(await let_in(world, cancel))
        return found

    monkeypatch.setattr(stored_singles, "due", due_and_taken_back)
    await world.single(tenant, recipient(9))
    await until(lambda: done)
    await asyncio.gather(*done, return_exceptions=True)
    await asyncio.sleep(1.5)
    assert world.statuses()[other.recipient] == "sending"
    assert world.look("SELECT epoch, crashes FROM lanes") == [(1, 0)]


@on_postgres
async def test_two_keyed_requests_with_different_keys(world: World) -> None:
    """Each removes some expired keys, and none that another is removing: beside one that takes long others go on."""
    tenant = await world.tenant()
    old, now = world.clock.now(), Instant(world.clock.now() + 90_000 * SECOND)
    expired = Instant(now - 86_400 * SECOND)

    async def claim(store: Store, key: str, at: Instant) -> bool:
        async with store.writing() as tx:
            return await idempotency.claim(
                tx, idempotency.Key(tenant.account_id, tenant.member, key), b"f" * 32, at, expired
            )

    await claim(world.store, "yesterday", old)
    paused = Paused(world.store)
    one = asyncio.ensure_future(claim(paused, "one", now))
    await paused.reached.wait()
    try:
        async with asyncio.timeout(2.0):
            assert await claim(world.store, "two", now)
    finally:
        paused.go_on.set()
        await one


async def at_once(monkeypatch: pytest.MonkeyPatch, *work: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Each holds what it holds first before any goes on, unless one waits for another to hold that."""
    hold, held, all_hold = rows.hold, list[int](), asyncio.Event()

    async def hold_together(*args: Any, **named: Any) -> Any:
        found = await hold(*args, **named)
        held.append(1)
        if len(held) == len(work):
            all_hold.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await all_hold.wait()
        return found

    monkeypatch.setattr(rows, "hold", hold_together)
    return await asyncio.gather(*(each() for each in work), return_exceptions=True)


@on_postgres
async def test_two_requests_add_envelopes_with_callbacks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first callbacks of an engagement, in batches side by side: both requests say on it that it has some."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 0)

    async def add() -> None:
        new = [NewEnvelope(recipient(7), "{}", callback="https://example.com/")]
        await envelopes.add(world.store, world.clock, new_id, owner(tenant), [engagement.id], new, str)

    assert await at_once(monkeypatch, add, add) == [None, None]


@on_postgres
async def test_a_callback_given_while_the_engagement_is_canceled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hold the engagement before its envelopes, so that neither is refused for the other's sake."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 1)
    ((id_,),) = world.look("SELECT id FROM envelopes")

    async def edit() -> None:
        changes = envelope_edits.Changes(callback="https://example.com/")
        await envelope_edits.update(world.store, world.clock, owner(tenant), [(id_, changes)], None)

    async def cancel() -> None:
        who = owner(tenant), engagement.id
        await engagements.update(world.store, world.clock, new_id, *who, Changes(status="canceled"))

    edited, canceled = await at_once(monkeypatch, edit, cancel)
    assert canceled is None
    assert edited is None or isinstance(edited, Invalid)


def logins(world: World, store: Store) -> sessions.Sessions:
    """Opens and renews sessions."""
    lifetimes = sessions.Lifetimes(3600 * SECOND, 86_400 * SECOND)
    return sessions.Sessions(store, world.clock, new_id, lifetimes, "test")


async def _at_rest() -> None:
    return


@everywhere
async def test_a_login_while_the_password_is_changed(world: World) -> None:
    """The old password opens no session that would outlive the change, though it was tried before that."""
    tenant = await world.tenant()
    await logins(world, world.store).let_log_in(owner(tenant), tenant.member, "a@example.com", PASSWORD)
    hooked = HookedStore(world.store)

    async def overtaken() -> None:
        hooked.before_writing = _at_rest
        await logins(world, world.store).let_log_in(
            owner(tenant), tenant.member, "a@example.com", "another " + PASSWORD
        )

    hooked.before_writing = overtaken
    with pytest.raises(sessions.Refused):
        await logins(world, hooked).by_password("a@example.com", PASSWORD)


@on_postgres
async def test_a_refresh_token_used_twice_at_once(world: World) -> None:
    """Two tabs may: both get new tokens, for the second one comes within the minute of grace."""
    tenant = await world.tenant()
    await logins(world, world.store).let_log_in(owner(tenant), tenant.member, "a@example.com", PASSWORD)
    issued = await logins(world, world.store).by_password("a@example.com", PASSWORD)
    await in_order(
        world,
        lambda store: logins(world, store).refresh(issued.refresh_token),
        lambda: logins(world, world.store).refresh(issued.refresh_token),
    )


async def endpoint(world: World, tenant: Tenant, store: Store, kind: str = "events") -> webhook_endpoints.Told:
    """A webhook endpoint."""
    changes = webhook_endpoints.Changes(kind=kind)
    if kind == "events":
        changes = webhook_endpoints.Changes(kind=kind, url="https://example.com/")
    who = (store, world.clock, new_id, SEALER, Limits(), owner(tenant))
    return await webhook_endpoints.create(*who, changes)


@on_postgres
async def test_a_secret_rotated_twice_at_once(world: World) -> None:
    """Both secrets that were told sign."""
    tenant = await world.tenant()
    made = await endpoint(world, tenant, world.store)
    told: list[str] = []

    async def rotate(store: Store) -> None:
        told.append(
            (await webhook_endpoints.rotate(store, world.clock, SEALER, owner(tenant), made.endpoint.id)).secret
        )

    await in_order(world, rotate, lambda: rotate(world.store))
    async with world.store.reading() as tx:
        (now,) = await rows.every(tx, type(made.endpoint))
    assert set(webhook_endpoints.open_secrets(SEALER, now, world.clock.now())) == set(told)


@on_postgres
async def test_two_secrets_of_callbacks_at_once(world: World) -> None:
    """One of the two is refused: each secret that was told signs."""
    tenant = await world.tenant()
    await between(
        lambda store: endpoint(world, tenant, store, "callbacks"),
        lambda: endpoint(world, tenant, world.store, "callbacks"),
        world,
    )
    assert world.look("SELECT count(*) FROM webhook_endpoints") == [(1,)]


@on_postgres
async def test_a_session_that_is_being_opened_ends_with_the_password(world: World) -> None:
    """The change waits for it, and ends it with the member's other sessions."""
    tenant = await world.tenant()
    await logins(world, world.store).let_log_in(owner(tenant), tenant.member, "a@example.com", PASSWORD)
    opened: list[sessions.Issued] = []

    async def log_in(store: Store) -> None:
        opened.append(await logins(world, store).by_password("a@example.com", PASSWORD))

    async def change() -> None:
        who = owner(tenant), tenant.member
        await logins(world, world.store).let_log_in(*who, "a@example.com", "another " + PASSWORD)

    await in_order(world, log_in, change)
    with pytest.raises(Unauthorized):
        await logins(world, world.store).authenticate(opened[0].access_token, None)


@on_postgres
async def test_two_logins_that_make_a_hash_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password has not changed by that: both get in."""
    tenant = await world.tenant()
    await logins(world, world.store).let_log_in(owner(tenant), tenant.member, "a@example.com", PASSWORD)
    ((old,),) = world.look("SELECT password_hash FROM memberships")
    monkeypatch.setattr(passwords, "is_outdated", lambda each: each == old)

    async def log_in(store: Store) -> None:
        assert await logins(world, store).by_password("a@example.com", PASSWORD)

    await in_order(world, log_in, lambda: log_in(world.store))
    assert world.look("SELECT password_hash FROM memberships") != [(old,)]


@on_postgres
async def test_callbacks_are_signed_for_the_first_time_while_their_secret_is_made(world: World) -> None:
    """The worker waits for the request, and signs with the secret that was told."""
    tenant = await world.tenant()

    async def sign() -> WebhookEndpoint | None:
        async with world.store.writing() as tx:
            return await webhook_endpoints.callback_key(tx, SEALER, world.clock.now(), new_id, tenant.account_id)

    made, found = await between(lambda store: endpoint(world, tenant, store, "callbacks"), sign, world)
    assert found.id == made.endpoint.id
    assert world.look("SELECT count(*) FROM webhook_endpoints") == [(1,)]


@on_postgres
async def test_two_endpoints_where_there_is_room_for_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is refused."""
    monkeypatch.setattr(webhook_endpoints, "MOST", 1)
    tenant = await world.tenant()
    _, refused = await between(
        lambda store: endpoint(world, tenant, store), lambda: endpoint(world, tenant, world.store), world
    )
    assert isinstance(refused, Invalid)
    assert world.look("SELECT count(*) FROM webhook_endpoints") == [(1,)]


# many rows of one kind


class _Together:
    """A transaction that reads for the first time when others are as far."""

    def __init__(self, tx: Transaction, barrier: asyncio.Barrier) -> None:
        self._tx = tx
        self._barrier = barrier

    async def run(self, *args: Any, **named: Any) -> int:
        """See Transaction.run."""
        return await self._tx.run(*args, **named)

    async def rows(self, *args: Any, **named: Any) -> Any:
        """See Transaction.rows."""
        await self._barrier.wait()
        return await self._tx.rows(*args, **named)


@on_postgres
async def test_two_expired_keys_used_again_at_once(world: World) -> None:
    """Neither removes the other's: both are claimed anew."""
    tenant = await world.tenant()
    now, barrier = world.clock.now(), asyncio.Barrier(2)
    keys = [idempotency.Key(tenant.account_id, tenant.member, name) for name in ("one", "two")]
    for key in keys:
        async with world.store.writing() as tx:
            assert await idempotency.claim(tx, key, b"f" * 32, now, Instant(0))

    async def claim(key: idempotency.Key) -> bool:
        async with world.store.writing() as tx:
            together: Any = _Together(tx, barrier)
            return await idempotency.claim(together, key, b"f" * 32, Instant(now + 1), now)

    assert await asyncio.gather(*map(claim, keys), return_exceptions=True) == [True, True]


async def crossing(
    world: World, held: tuple[Tenant, type[Record], Id], *work: Callable[[], Awaitable[Any]]
) -> list[Any]:
    """Each goes as far as it can while somebody holds this row, the one in the middle of what both want."""
    tenant, record, id_ = held
    tasks: list[asyncio.Task[Any]] = []

    def are_stuck() -> bool:
        return sum(task.done() for task in tasks) + int(world.look(WAITING)[0][0]) == len(tasks)

    async with world.store.writing() as tx:
        await rows.hold(tx, record, tenant.account_id, [id_])
        for each in work:
            tasks.append(asyncio.ensure_future(each()))
            await until(are_stuck)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def given_backwards(world: World, tenant: Tenant) -> tuple[Engagement, list[Id]]:
    """An engagement whose three envelopes are in the database in the other order than by their ids; these."""
    await world.engagement(tenant, 1000, status="pending")  # another, so that the envelopes of this one are looked up
    engagement = await world.engagement(tenant, [recipient(each) for each in (3, 2, 1)])
    ids = [id_ for (id_,) in world.look("SELECT id FROM envelopes WHERE engagement_id = ? ORDER BY id", engagement.id)]
    for place, id_ in enumerate(reversed(ids)):
        key = (tenant.number.id, world.clock.now() - 9 + place, id_)
        world.change("UPDATE envelopes SET phone_number_id = ?, next_at = ? WHERE id = ?", *key)
    world.change("ANALYZE envelopes")
    return engagement, ids


async def edit(store: Store, world: World, tenant: Tenant, ids: list[Id]) -> None:
    """PATCH these envelopes."""
    changes = [(id_, envelope_edits.Changes(meta="{}")) for id_ in ids]
    await envelope_edits.update(store, world.clock, owner(tenant), changes, str)


@on_postgres
async def test_envelopes_edited_while_the_remainder_is_closed(world: World) -> None:
    """Those that somebody edits are not waited for: they are left to the next look."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, 3, status="canceled")
    ids = [id_ for (id_,) in world.look("SELECT id FROM envelopes ORDER BY id")]
    sweep = Scheduler(world.store, world.clock, new_id).sweep
    paused = Paused(world.store)
    editing = asyncio.ensure_future(edit(paused, world, tenant, ids[1:]))
    await paused.reached.wait()
    try:
        async with asyncio.timeout(2.0):
            await sweep()
        assert list(world.reasons().values()) == ["canceled", "", ""]
    finally:
        paused.go_on.set()
        await editing
    await sweep()
    assert set(world.reasons().values()) == {"canceled"}
    assert (await world.ledger(engagement)).incomplete == 3


@on_postgres
async def test_envelopes_edited_while_a_number_gives_them_back(world: World) -> None:
    """Both hold them in the order of their ids: one waits for the other."""
    tenant = await world.tenant()
    engagement, ids = await given_backwards(world, tenant)

    async def release() -> None:
        async with world.store.writing() as tx:
            await pools.release(tx, tenant.account_id, engagement.id, [tenant.number.id])

    held = tenant, Envelope, ids[1]
    assert await crossing(world, held, lambda: edit(world.store, world, tenant, ids), release) == [None, None]
    assert world.look("SELECT count(*) FROM envelopes WHERE phone_number_id IS NOT NULL") == [(0,)]


def arrived(world: World, tenant: Tenant, id_: Id) -> Upload:
    """An upload whose bytes are here."""
    return Upload(
        **common(world, tenant),
        id=id_,
        name="a.gif",
        content_type="image/gif",
        key=id_.hex(),
        expires_at=world.clock.now(),
        blob=id_.hex(),
        size_in_bytes=1,
    )


@on_postgres
async def test_the_same_uploads_attached_in_different_orders(world: World) -> None:
    """Both requests hold them in the order of their ids, and attach them in their own."""
    tenant = await world.tenant()
    ids = sorted(new_id() for _ in range(3))
    async with world.store.writing() as tx:
        for id_ in ids:
            await rows.insert(tx, arrived(world, tenant, id_))

    async def attach(order: list[Id]) -> Any:
        who = world.store, world.clock, new_id, owner(tenant)
        return await text_messages.create(*who, text_messages.Changes(body="Hi"), files.Wanted(upload_ids=order))

    held = tenant, Upload, ids[1]
    made = await crossing(world, held, lambda: attach(ids), lambda: attach(ids[::-1]))
    assert not [each for each in made if isinstance(each, BaseException)]
    assert world.look("SELECT count(*) FROM files") == [(3,)]


def _no_turns(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None:
        return

    patch.setattr(PostgresTransaction, "take_turn", nothing)


def _held_by_nobody(patch: pytest.MonkeyPatch) -> None:
    async def find(*args: Any, **_: Any) -> Any:
        return await rows.find_many(*args)

    patch.setattr(rows, "hold", find)


def _not_asked_again(patch: pytest.MonkeyPatch) -> None:
    async def yes(*_: Any) -> bool:
        return True

    patch.setattr(sessions, "_still_holds", yes)


def _held_together(patch: pytest.MonkeyPatch) -> None:
    hold = rows.hold

    async def shared(*args: Any, **_: Any) -> Any:
        return await hold(*args, shared=True)

    patch.setattr(rows, "hold", shared)


Behaviour = Callable[[World, pytest.MonkeyPatch], Awaitable[None]]

HELD_BY: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Behaviour]] = {
    "a single text": (
        lambda patch: loose(patch, stored_singles, "_DUE"),
        test_a_single_text_canceled_as_it_is_taken,
    ),
    "expired keys": (
        lambda patch: loose(patch, idempotency, "_SOME_EXPIRED"),
        lambda world, _: test_two_keyed_requests_with_different_keys(world),
    ),
    "expired keys that are used again": (
        lambda patch: loose(patch, idempotency, "_SOME_EXPIRED"),
        lambda world, _: test_two_expired_keys_used_again_at_once(world),
    ),
    "an engagement without callbacks": (_held_together, test_two_requests_add_envelopes_with_callbacks),
    "a session": (
        lambda patch: loose(patch, stored_sessions, "_HELD_FOR_RENEWAL"),
        lambda world, _: test_a_refresh_token_used_twice_at_once(world),
    ),
    "a password, once it was tried": (
        _not_asked_again,
        lambda world, _: test_a_login_while_the_password_is_changed(world),
    ),
    "a password, while a session is opened": (
        _held_by_nobody,
        lambda world, _: test_a_session_that_is_being_opened_ends_with_the_password(world),
    ),
    "a webhook endpoint": (_held_by_nobody, lambda world, _: test_a_secret_rotated_twice_at_once(world)),
    "turns at endpoints: two secrets": (_no_turns, lambda world, _: test_two_secrets_of_callbacks_at_once(world)),
    "turns at endpoints: the worker's": (
        _no_turns,
        lambda world, _: test_callbacks_are_signed_for_the_first_time_while_their_secret_is_made(world),
    ),
    "turns at endpoints: the most": (_no_turns, test_two_endpoints_where_there_is_room_for_one),
    "the remainder": (
        lambda patch: loose(patch, work, "_REMAINDER"),
        lambda world, _: test_envelopes_edited_while_the_remainder_is_closed(world),
    ),
}


@on_postgres
@pytest.mark.parametrize("name", HELD_BY)
async def test_the_test_notices(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without its safeguard the behaviour's test fails."""
    take_away, behaviour = HELD_BY[name]
    take_away(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, Fenced, sessions.Refused, pytest.fail.Exception)):
        await behaviour(world, monkeypatch)
