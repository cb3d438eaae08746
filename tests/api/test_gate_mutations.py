"""The tests of the gate can fail: each safeguard is taken away here in turn, and its test must notice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import test_conditional, test_idempotency, test_limits, test_matrix, test_oauth
from api.cases import WRITES
from api_client import Client, Settings, StandingClock
from opengage.api.admission import changes, once
from opengage.api.admission.limits import Buckets
from opengage.api.admission.once import Once
from opengage.domain.records import ApiToken, Session
from opengage.operations import credentials, sessions
from opengage.operations.sessions import Sessions
from opengage.store import idempotency, lists, rows
from opengage.store import sessions as stored
from opengage.store.contract import Violation
from opengage.store.one_transaction import OneTransaction
from opengage.store.sqlite import SqliteStore
from opengage.store.tokens import Holder
from store import test_one_transaction

RENAMING = tuple(case for case in WRITES if case.operation == "PATCH /engagements/{resource_id}")


class World(msgspec.Struct, frozen=True):
    """What the behaviours below are tried on."""

    client: Client
    other: Client
    store: SqliteStore
    clock: StandingClock
    settings: Settings
    folder: Path


Mutation = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World], Awaitable[None]]


def no_memory_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a key was there before."""

    async def nothing(*_: Any) -> None:
        return

    monkeypatch.setattr(idempotency, "find", nothing)


def keys_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second under a key goes on as well."""

    async def taken(*_: Any) -> bool:
        return True

    monkeypatch.setattr(idempotency, "claim", taken)


def no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key stands for whatever comes with it."""
    monkeypatch.setattr(once, "_fingerprint", lambda *_: b"\0" * 32)


def keys_of_the_whole_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every member gets the answers of all."""
    named = idempotency._named
    monkeypatch.setattr(idempotency, "_named", lambda key: named(key) | {"key_membership_id": bytes(16)})
    claim = idempotency.claim

    async def for_all(tx: Any, key: Any, *rest: Any) -> bool:
        return await claim(tx, msgspec.structs.replace(key, membership_id=bytes(16)), *rest)

    monkeypatch.setattr(idempotency, "claim", for_all)


def change_before_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block commits by itself, the answer afterwards."""
    monkeypatch.setattr(OneTransaction, "writing", lambda self: self._store.writing())


def no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any tag will do."""
    monkeypatch.setattr(changes, "allows", lambda *_: True)


def ended_sessions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a signed token is let in."""
    monkeypatch.setattr(stored.Held, "is_good", lambda *_: True)


def spent_tokens_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh token is good as often as it comes."""
    monkeypatch.setattr(sessions, "_is_spent", lambda *_: False)


def any_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh token opens what an access token does, and at any time."""

    async def read(self: Sessions, token: str, _: str) -> Any:
        return await self._keys.read(self._store, token)

    monkeypatch.setattr(Sessions, "_read", read)


def any_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Account-Key is taken at its word."""

    async def holder_of(store: Any, clock: Any, key: str, secret: str, account_key: str | None = None) -> Holder:
        found = await credentials.holder_of(store, clock, key, secret)
        return msgspec.structs.replace(found, account_id=1) if account_key == "firstbank" else found

    monkeypatch.setattr("opengage.api.auth.holder_of", holder_of)


def foreign_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is looked for in every account."""
    find_many, hold = lists.find_many, rows.hold

    async def anywhere(tx: Any, record: Any, account_id: int, *rest: Any, **more: Any) -> Any:
        own = await find_many(tx, record, account_id, *rest, **more)
        return own or await find_many(tx, record, 1, *rest, **more)

    async def held_anywhere(tx: Any, record: Any, account_id: int, *rest: Any) -> Any:
        return await hold(tx, record, account_id, *rest) or await hold(tx, record, 1, *rest)

    monkeypatch.setattr(lists, "find_many", anywhere)
    monkeypatch.setattr(rows, "hold", held_anywhere)


def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is counted."""
    monkeypatch.setattr(Buckets, "take", lambda *_: None)


def keys_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is ever free again."""
    monkeypatch.setattr(Once, "_expired", lambda *_: 0)


async def _retry(world: World) -> None:
    await test_idempotency.test_a_retry_gets_the_same_answer(world.client)


async def _another(world: World) -> None:
    await test_idempotency.test_another_request_is_refused(world.client)


async def _two_servers(world: World) -> None:
    await test_idempotency.test_concurrent_requests_on_two_servers(
        world.client, world.store, world.folder, world.clock, world.settings
    )


async def _members(world: World) -> None:
    await test_idempotency.test_a_member_s_keys_are_its_own(world.client, world.store)


async def _last_part(world: World) -> None:
    await test_one_transaction.test_the_last_part_decides_too(world.store)


async def _half(world: World) -> None:
    await test_one_transaction.test_no_half_of_a_change(world.store)


async def _expiry(world: World) -> None:
    await test_idempotency.test_keys_expire(world.client, world.store, world.clock)


async def _unseen(world: World) -> None:
    await test_conditional.test_changing_what_was_seen(world.client, world.clock)


async def _revoked_token(world: World) -> None:
    await test_oauth.test_what_ends_it(world.client, world.store, ApiToken, {"revoked_at": 1})


async def _revoked_session(world: World) -> None:
    await test_oauth.test_what_ends_it(world.client, world.store, Session, {"revoked_at": 1})


async def _spent(world: World) -> None:
    await test_oauth.test_a_spent_refresh_token_ends_the_session(world.client, world.clock)


async def _forged(world: World) -> None:
    await test_oauth.test_forgeries(world.client, world.other, world.store)


async def _time(world: World) -> None:
    await test_oauth.test_time_ends_it(world.client, world.clock)


async def _named(world: World) -> None:
    await test_matrix.test_another_s_by_name(world.client, world.other, world.store, WRITES[:1])


async def _foreign(world: World) -> None:
    await test_matrix.test_another_s(world.client, world.other, world.store, RENAMING)


async def _limited(world: World) -> None:
    await test_limits.test_others_do_not_notice(world.client, world.other)


HELD_BY: list[tuple[Mutation, Behaviour]] = [
    (no_memory_of_keys, _retry),
    (no_fingerprint, _another),
    (keys_taken_twice, _two_servers),
    (keys_of_the_whole_account, _members),
    (change_before_its_answer, _last_part),
    (change_before_its_answer, _half),
    (keys_for_ever, _expiry),
    (no_version, _unseen),
    (ended_sessions_count, _revoked_token),
    (ended_sessions_count, _revoked_session),
    (spent_tokens_count, _spent),
    (any_use, _forged),
    (any_use, _time),
    (any_account, _named),
    (foreign_ids, _foreign),
    (no_limits, _limited),
]


@pytest.mark.parametrize(
    ("mutation", "behaviour"), HELD_BY, ids=[f"{mutation.__name__}-{test.__name__}" for mutation, test in HELD_BY]
)
async def test_the_test_notices(
    client: Client,
    other: Client,
    store: SqliteStore,
    clock: StandingClock,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mutation: Mutation,
    behaviour: Behaviour,
) -> None:
    """Without its safeguard the behaviour's test fails."""
    world = World(client, other, store, clock, settings, tmp_path)
    mutation(monkeypatch)
    with pytest.raises((AssertionError, KeyError, ValueError, Violation, pytest.fail.Exception)):
        await behaviour(world)
