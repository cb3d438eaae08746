"""What is PostgreSQL's own: durability, servers that go away, transactions that are in each other's way, poolers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

import postgres
from opengage.domain import records
from opengage.domain.errors import Unavailable
from opengage.domain.states import Reason, TextStatus
from opengage.store import revision, rows, tables
from opengage.store.contract import Store, Transaction, Turn, Violation
from opengage.store.postgres import PostgresOptions, PostgresStore, options
from opengage.store.postgres import store as module
from processes import free_port
from store.samples import ACCOUNT, NOW, RECORDS, due, envelopes, id_of, sending, step, take, text, text_id

SETTING = sa.text("SELECT current_setting(:name)")
COUNT = sa.select(sa.func.count()).select_from(tables.envelopes)


@contextlib.asynccontextmanager
async def opened(url: str, **changes: Any) -> AsyncIterator[PostgresStore]:
    """A store for as long as the block runs."""
    store = PostgresStore(PostgresOptions(url, **changes))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """A store on a clean database."""
    async with opened(postgres_url) as made:
        yield made


async def insert(store: Store, count: int = 1, first: int = 0) -> None:
    """Write envelopes in one block."""
    async with store.writing() as tx:
        await envelopes(tx, count, first=first)


@pytest.mark.parametrize(("server", "ours"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
async def test_every_commit_is_durable(
    postgres_server: postgres.Server, postgres_url: str, server: str, ours: str
) -> None:
    """Whatever the database's own default; a stronger one stays."""
    change = "ALTER DATABASE {} SET synchronous_commit = {}"
    name = sa.make_url(postgres_url).database
    postgres_server.execute(postgres_url, change.format(name, server))
    try:
        async with opened(postgres_url) as store, store.writing() as tx:
            assert await tx.rows(SETTING, name="synchronous_commit") == [(ours,)]
            assert await tx.rows(SETTING, name="transaction_isolation") == [("read committed",)]
    finally:
        postgres_server.execute(postgres_url, change.format(name, "DEFAULT"))


@pytest.mark.parametrize("kind", ["no server", "no database", "no tables"])
async def test_a_database_that_cannot_be_used_is_unavailable(postgres_server: postgres.Server, kind: str) -> None:
    """It is said with advice, and without the password."""
    with postgres_server.database(empty=True) as url:
        address = sa.make_url(url).set(password="hunter2")
        if kind == "no server":
            address = address.set(port=free_port())
        if kind == "no database":
            address = address.set(database="absent")
        async with opened(address.render_as_string(hide_password=False)) as store:
            with pytest.raises(Unavailable, match=r"the database server runs|opengage migrate") as told:
                await revision.require(store)
    assert "hunter2" not in str(told.value)


async def test_a_broken_constraint_repeats_no_value(store: PostgresStore) -> None:
    """The server's DETAIL would tell whose number it was."""
    suppression = next(each for each in RECORDS if isinstance(each, records.Suppression))

    async def insert_twice() -> None:
        async with store.writing() as tx:
            await rows.insert(tx, suppression)
            await rows.insert(tx, suppression)

    with pytest.raises(Violation, match="suppressions_pkey") as told:
        await insert_twice()
    assert suppression.phone_number not in str(told.value)


async def test_a_failure_that_was_passed_over_undoes_the_block(store: PostgresStore) -> None:
    """PostgreSQL carries out nothing after a statement that failed: the block must not seem to be written."""

    async def pass_over() -> None:
        async with store.writing() as tx:
            await envelopes(tx, 1)
            with contextlib.suppress(Exception):
                await tx.run(sa.text("SELECT 1 / 0"))

    with pytest.raises(Unavailable, match="a statement in it had failed"):
        await pass_over()
    assert await due(store) == []


async def test_a_deadlock_is_unavailable_for_one_of_two(store: PostgresStore) -> None:
    """One is undone and may be sent again; the other one is written."""
    await insert(store, 2)
    lock = sa.select(tables.envelopes.c.id).where(tables.envelopes.c.id == sa.bindparam("id")).with_for_update()
    ids = [one.envelope_id for one in await due(store)]
    both = asyncio.Barrier(2)

    async def write(*order: int) -> None:
        async with store.writing() as tx:
            await tx.rows(lock, id=ids[order[0]])
            await both.wait()
            await tx.rows(lock, id=ids[order[1]])

    ended = await asyncio.gather(write(0, 1), write(1, 0), return_exceptions=True)
    (failure,) = [each for each in ended if each is not None]
    assert isinstance(failure, Unavailable)
    assert "deadlock" in str(failure)


async def test_too_many_at_once_wait_and_then_are_told(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no connection of the pool comes free in time."""
    monkeypatch.setattr(module, "_ACQUIRE_TIMEOUT", 0.05)
    async with opened(postgres_url, pool_size=1) as store:
        async with store.writing():
            with pytest.raises(Unavailable):
                await due(store)
        assert await due(store) == []


async def test_a_statement_that_takes_too_long_is_unavailable(postgres_url: str) -> None:
    """The server ends it; the next one is carried out."""
    async with opened(postgres_url, statement_timeout=0.1) as store:
        with pytest.raises(Unavailable, match="statement timeout"):
            async with store.writing() as tx:
                await tx.rows(sa.text("SELECT pg_sleep(30)"))
        await insert(store)


async def test_a_process_that_stands_still_lets_go(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends its open transaction: what it held can be taken, and it writes nothing when it wakes."""
    monkeypatch.setattr(options, "_IDLE_TIMEOUT", 0.2)
    async with opened(postgres_url) as stopped, opened(postgres_url) as other:

        async def stand_still() -> None:
            async with stopped.writing() as tx:
                await tx.take_turn(Turn.CONSENT, [ACCOUNT])
                await envelopes(tx, 1)
                async with other.writing() as another:
                    await another.take_turn(Turn.CONSENT, [ACCOUNT])

        with pytest.raises(Unavailable):
            await stand_still()
        assert await due(other) == []
        await insert(stopped)


async def test_connections_that_were_cut_are_replaced(
    postgres_server: postgres.Server, postgres_url: str, store: PostgresStore
) -> None:
    """Those of the pool, and the one that listens."""
    await insert(store)
    await store.changed(0)
    postgres_server.execute(postgres_url, postgres.OTHERS)
    async with opened(postgres_url) as other:
        waiting = asyncio.ensure_future(store.changed(60))
        await insert(other, first=5)
        async with asyncio.timeout(10):
            await waiting
    for first in (6, 7):
        with contextlib.suppress(Unavailable):
            await insert(store, first=first)
    await insert(store, first=8)
    assert len(await due(store)) >= 3


class Wire:
    """A server in front of the server, which can swallow the answer to a COMMIT and cut the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.swallows = False
        self.delivers = True
        """Whether that COMMIT gets through at all."""
        self.swallowed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        cut = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._requests(reader, outer, cut))
            group.create_task(self._answers(inner, writer, cut))
        for each in (writer, outer):
            each.close()

    async def _requests(self, reader: asyncio.StreamReader, outer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if self.swallows and b"COMMIT\0" in data:
                self.swallows = False
                self.swallowed += 1
                cut.set()
                if not self.delivers:
                    break
            outer.write(data)
        outer.close()

    async def _answers(self, inner: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        while data := await inner.read(65536):
            if cut.is_set():
                break
            writer.write(data)
        writer.close()


async def _sending(store: Store) -> None:
    await sending(store, 1)


async def _answered(store: Store) -> None:
    async with store.writing() as tx:
        await take(tx, [step(0, TextStatus.SENT, Reason.SENT)], NOW)


CHANGES: dict[str, tuple[Callable[[Store], Awaitable[None]] | None, Callable[[Store], Awaitable[None]], str]] = {
    "what is new": (None, insert, "SELECT count(*) FROM envelopes"),
    "an intent": (None, _sending, "SELECT count(*) FROM texts"),
    "an answer": (_sending, _answered, "SELECT count(*) FROM texts WHERE status = 'sent'"),
}
"""What was there before, a change of one row, and how many such there are. Batches know their transaction's number."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("delivers", [True, False])
async def test_a_commit_whose_answer_is_lost_is_asked_about(postgres_url: str, delivers: bool, change: str) -> None:
    """What was written counts as written, so that nobody does it again; what was not is told as not changed."""
    before, write, counted = CHANGES[change]
    address = sa.make_url(postgres_url)
    assert address.port
    wire = Wire(address.port)
    wire.delivers = delivers
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with opened(address.set(port=port).render_as_string(hide_password=False)) as store:
        await (before or due)(store)
        wire.swallows = True
        if delivers:
            await write(store)
        else:
            with pytest.raises(Unavailable, match="Nothing was changed"):
                await write(store)
        assert wire.swallowed == 1
        async with store.reading() as tx:
            assert await tx.rows(sa.text(counted)) == [(int(delivers),)]
    server.close()


@pytest.fixture
async def pooled(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """A store that believes that a pooler in transaction mode stands between."""
    async with opened(postgres_url, is_pooled=True, pool_size=1) as store:
        yield store


async def test_behind_a_pooler_whoever_looks_has_our_settings_too(pooled: PostgresStore) -> None:
    """And changes nothing: it is a view of its own, since a session brings neither."""
    async with pooled.looking() as tx:
        found = [(await tx.rows(SETTING, name=name))[0][0] for name in ("transaction_read_only", "enable_seqscan")]
    assert found == ["on", "off"]


async def test_behind_a_pooler_nothing_is_kept_by_a_session(pooled: PostgresStore) -> None:
    """The whole path of a text leaves no prepared statement, no setting and no lock of the session."""
    await sending(pooled, 3)
    async with pooled.writing() as tx:
        await tx.take_turn(Turn.CONSENT, [ACCOUNT])
        assert (await tx.batches.texts(ACCOUNT, [text_id(1)])).keys() == {text_id(1)}
    assert (await text(pooled, 2)).body == "Hello"
    async with pooled.reading() as tx:
        assert await tx.rows(sa.text("SELECT name FROM pg_prepared_statements")) == []
        assert await tx.rows(sa.text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")) == []
        assert await tx.rows(sa.text("SELECT 1 FROM pg_listening_channels()")) == []


async def test_behind_a_pooler_changes_are_looked_for(pooled: PostgresStore, store: PostgresStore) -> None:
    """Another process's commit ends the wait, and silence lasts for as long as was asked for."""
    await pooled.changed(0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await pooled.changed(0.1)
    assert loop.time() - started >= 0.1
    waiting = asyncio.ensure_future(pooled.changed(60))
    await insert(store)
    async with asyncio.timeout(5):
        await waiting


@pytest.mark.parametrize(
    ("is_pooled", "is_hot", "mode"),
    [(False, True, "force_generic_plan"), (False, False, "force_custom_plan"), (True, True, "auto")],
)
async def test_only_the_hot_path_keeps_its_plans(postgres_url: str, is_pooled: bool, is_hot: bool, mode: str) -> None:
    """Everything else is planned for the values it is asked with; behind a pooler no plan can be kept anyway."""
    async with opened(postgres_url, is_pooled=is_pooled) as store, store.writing(is_hot=is_hot) as tx:
        assert await tx.rows(SETTING, name="plan_cache_mode") == [(mode,)]


async def test_who_looks_keeps_plans_and_who_reads_does_not(store: PostgresStore) -> None:
    """A reader's filters decide which index is best."""
    async with store.looking() as tx:
        assert await tx.rows(SETTING, name="plan_cache_mode") == [("force_generic_plan",)]
    async with store.reading() as tx:
        assert await tx.rows(SETTING, name="plan_cache_mode") == [("force_custom_plan",)]


async def test_who_reads_by_a_key_keeps_plans_and_a_consistent_view(store: PostgresStore) -> None:
    """The first one of a connection plans anew, within that view."""
    for _ in range(2):
        async with store.reading(is_hot=True) as tx:
            found = [(await tx.rows(SETTING, name=each))[0][0] for each in ("plan_cache_mode", "transaction_isolation")]
        assert found == ["force_generic_plan", "repeatable read"]


WAYS: dict[str, Callable[[Store], contextlib.AbstractAsyncContextManager[Transaction]]] = {
    "writing": lambda store: store.writing(is_hot=True),
    "reading": lambda store: store.reading(is_hot=True),
    "looking": lambda store: store.looking(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_kept_plans_are_made_anew_after_a_while(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A plan outlives its transaction, but not the size of the table it was made for."""

    async def planned(store: Store) -> str:
        async with WAYS[way](store) as tx:
            return "".join(row[0] for row in await tx.rows(sa.text("EXPLAIN EXECUTE kept (1, '\\x01')")))

    async with opened(postgres_url, pool_size=1) as store:
        monkeypatch.setattr(module, "_PLANS_KEPT", 1e9)
        async with store.writing(is_hot=True) as tx:
            await tx.run(sa.text("PREPARE kept AS SELECT body FROM texts WHERE account_id = $1 AND id = $2"))
        assert "Bitmap" not in await planned(store)
        async with store.writing(is_hot=True) as tx:
            await tx.run(sa.text("SET enable_indexscan = off"))
        assert "Bitmap" not in await planned(store)
        monkeypatch.setattr(module, "_PLANS_KEPT", 1e-9)
        assert "Bitmap" in await planned(store)


async def test_a_text_with_a_nul_is_stored_without_it(store: PostgresStore) -> None:
    """PostgreSQL's text has every character but that one."""
    member = records.Membership(account_id=ACCOUNT, id=id_of(1), created_at=NOW, updated_at=NOW, name="A\0da", role="o")
    async with store.writing() as tx:
        await rows.insert(tx, member)
        found = await rows.find(tx, records.Membership, ACCOUNT, id_of(1))
    assert found is not None
    assert found.name == "A\ufffdda"


async def test_a_server_that_falls_silent_as_a_session_begins_is_given_up(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is thrown away at once, and the next one may do better."""
    monkeypatch.setattr(module, "_SESSION_TIMEOUT", 0.1)
    begin = PostgresOptions.begin_session
    with monkeypatch.context() as silent:
        silent.setattr(PostgresOptions, "begin_session", "SELECT pg_sleep(60)")
        async with opened(postgres_url) as store:
            with pytest.raises(Unavailable):
                async with asyncio.timeout(5), store.reading():
                    pass
            silent.setattr(PostgresOptions, "begin_session", begin)
            async with store.reading() as tx:
                assert await tx.rows(SETTING, name="enable_seqscan") == [("off",)]


async def test_settings_are_a_sessions_and_behind_a_pooler_a_transactions(postgres_url: str) -> None:
    """Of a pooler's session nothing is changed: the next transaction on it may be somebody else's."""
    for is_pooled, outside in ((False, "off"), (True, "on")):
        async with opened(postgres_url, is_pooled=is_pooled, pool_size=1) as store:
            async with store.writing() as tx:
                assert await tx.rows(SETTING, name="enable_seqscan") == [("off",)]
            async with store._connection() as connection:
                assert await connection.fetchval("SHOW enable_seqscan") == outside
