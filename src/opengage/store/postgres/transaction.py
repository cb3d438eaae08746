"""One transaction: composed statements in PostgreSQL's words, and turns where SQLite has but one writer."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import asyncpg
import sqlalchemy as sa
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql import ClauseElement, Executable

from opengage.clock import Instant
from opengage.domain.errors import Unavailable
from opengage.store.contract import Batches, Rows, Seals, Turn
from opengage.store.postgres.batches import ONLY_READ, PostgresBatches
from opengage.store.postgres.options import LOCK_TIMEOUT, MILLISECONDS

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
# clock_timestamp() goes on while a transaction waits for a lock; now() would stand still
_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_ALONE: Final = "SELECT pg_advisory_xact_lock($1)"
_SHARED: Final = "SELECT pg_advisory_xact_lock_shared($1)"
PEOPLE_WITHIN = 2.0
"""Seconds to wait for the turn PEOPLE alone: whoever wants it later queues behind, however many could share it."""
_OURS: Final = 0x4F47
"""What our advisory locks begin with: other programs may use the same database."""


def turn_key(turn: Turn, whose: int) -> int:
    """The number of a turn's advisory lock; 40 bits are left for the account or the engagement."""
    return (_OURS << 48) + (turn << 40) + whose


class Compiled:
    """SQL text of composed statements, made once for each statement object that lives on."""

    def __init__(self) -> None:
        self._texts: WeakKeyDictionary[Executable, tuple[str, list[str], dict[str, Any]]] = WeakKeyDictionary()

    def __call__(self, statement: Executable, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
        """The text with its $1, $2, ... and their values in that order."""
        found = self._texts.get(statement)
        if found is None:
            assert isinstance(statement, ClauseElement)
            compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            found = (str(compiled), list(getattr(compiled, "positiontup", None) or ()), constants)
            self._texts[statement] = found
        text, names, constants = found
        return text, [storable(parameters[name] if name in parameters else constants.get(name)) for name in names]


def _is_change(statement: Executable) -> bool:
    """Whether a statement does more than to look: where there is no transaction, the server would carry it out."""
    if isinstance(statement, sa.TextClause):
        return statement.text.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))
    return not statement.is_select


def storable(value: Any) -> Any:
    """The same value; PostgreSQL's text holds every character but NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


class PostgresTransaction:
    """See store.contract.Transaction."""

    def __init__(
        self, connection: Connection, compiled: Compiled, *, writes: bool, copies: bool, seals: Seals | None = None
    ) -> None:
        self._connection = connection
        self._compiled = compiled
        self._writes = writes
        self._seals = seals
        self._batches = PostgresBatches(connection, writes=writes, copies=copies)

    async def rows(self, statement: Executable, **parameters: Any) -> Rows:
        """See Transaction.rows."""
        if not self._writes and _is_change(statement):
            raise Unavailable(ONLY_READ)
        text, values = self._compiled(statement, parameters)
        return [tuple(row) for row in await self._connection.fetch(text, *values)]

    async def run(self, statement: Executable, **parameters: Any) -> int:
        """See Transaction.run."""
        if not self._writes:
            raise Unavailable(ONLY_READ)
        text, values = self._compiled(statement, parameters)
        return touched(await self._connection.execute(text, *values))

    async def now(self) -> Instant:
        """See Transaction.now: the server's clock."""
        return Instant(await self._connection.fetchval(_NOW))

    async def take_turn(self, turn: Turn, whose: Sequence[int] = (0,), *, shared: bool = False) -> None:
        """See Transaction.take_turn."""
        assert self._writes, "only those who write take turns"
        is_soon = turn is Turn.PEOPLE and not shared
        if is_soon:
            await self.be_patient(PEOPLE_WITHIN)
        for each in sorted(set(whose)):
            await self._connection.execute(_SHARED if shared else _ALONE, turn_key(turn, each))
        if is_soon:
            await self.be_patient(None)

    async def be_patient(self, seconds: float | None) -> None:
        """See Transaction.be_patient."""
        within = LOCK_TIMEOUT if seconds is None else seconds
        await self._connection.execute(f"SET LOCAL lock_timeout = {int(within * MILLISECONDS)}")

    @property
    def xid(self) -> str | None:
        """Its number, if it is known already."""
        return self._batches.xid

    @property
    def batches(self) -> Batches:
        """See Transaction.batches."""
        return self._batches

    @property
    def seals(self) -> Seals | None:
        """See Transaction.seals."""
        return self._seals


def touched(status: str) -> int:
    """How many rows a command's status tells: “UPDATE 3”, “INSERT 0 3”."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0
