"""An upgrade of a PostgreSQL database in use: nobody queues behind it for longer than a moment.

Alembic writes a revision down as statements in a row. Carried out like that, an index would be built and a check looked
through while every writer waits, and a table whose lock is not to be had at once would have everybody queue behind the
one who asks for it. So each revision is carried out in three parts:

1. at once: what is a matter of catalogues, in one transaction that holds its tables' locks for milliseconds, and gives
   up and comes again when it does not get them within `_QUEUE`;
2. aside: indexes are built CONCURRENTLY, and checks, added NOT VALID, are looked through (VALIDATE) while others write;
3. at last: what was built takes its place and its settings, and the revision counts, in one transaction like the first.

A process that dies in between leaves a mark that says the first part is done; the next one goes on from there.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec

from opengage import logs
from opengage.domain.errors import Unavailable

log = logs.get(__name__)

Connection: TypeAlias = "asyncpg.Connection[Any]"

PATIENCE: Final = 600.0
"""Seconds to wait for locks, or for another process's upgrade."""
_QUEUE: Final = 0.8
"""Seconds for which others may queue behind us: below PostgreSQL's deadlock_timeout, so that in a deadlock it is always
the upgrade that gives way."""
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds between two tries, in which those who queued go on; the last one again and again."""

_NEXT: Final = "_next"
"""What the name of an index ends with that will take another one's place."""
_CREATE_TABLE: Final = re.compile(r"CREATE TABLE (\w+)")
_CREATE_INDEX: Final = re.compile(r"CREATE (UNIQUE )?INDEX (\w+) ON (\w+) (.*)", re.DOTALL)
_DROP_INDEX: Final = re.compile(r"DROP INDEX (\w+)")
_SET_INDEX: Final = re.compile(r"ALTER INDEX (\w+) SET ")
_ALTER: Final = re.compile(r"ALTER TABLE (\w+) ")
_ADD_LOOKED: Final = re.compile(r"ALTER TABLE (\w+) ADD CONSTRAINT (\w+) (?:CHECK|FOREIGN KEY)\b")
_ADD_UNIQUE: Final = re.compile(r"ALTER TABLE (\w+) ADD CONSTRAINT (\w+) UNIQUE (\(.*\))")
_VERSION: Final = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) alembic_version\b")

_MARKED: Final = "SELECT obj_description('alembic_version'::regclass, 'pg_class')"
_IS_VALID: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
_IN_THE_WAY: Final = """
SELECT pid, coalesce(nullif(application_name, ''), backend_type),
    extract(epoch FROM clock_timestamp() - xact_start)::int
FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
ORDER BY xact_start LIMIT 3
"""


class Index(msgspec.Struct, frozen=True):
    """An index to be built while others write."""

    name: str
    table: str
    definition: str
    """What follows the table's name."""
    is_unique: bool = False

    @property
    def statement(self) -> str:
        """How it is built."""
        return f"CREATE {'UNIQUE ' * self.is_unique}INDEX CONCURRENTLY {self.name} ON {self.table} {self.definition}"


class Plan(msgspec.Struct):
    """A revision's statements, by when they are carried out."""

    first: list[str] = []
    indexes: list[Index] = []
    looks: list[str] = []
    last: list[str] = []


def statements(script: str) -> list[str]:
    """What Alembic has written down, one by one, without its comments."""
    found = (re.sub(r"^--.*$", "", each, flags=re.MULTILINE).strip().rstrip(";") for each in script.split(";\n\n"))
    return [each for each in found if each]


def plan(script: str) -> Plan:
    """Part a revision's statements. What concerns tables that it makes itself need not wait: nobody uses them yet."""
    made = Plan()
    every = statements(script)
    new = {found[1] for each in every if (found := _CREATE_TABLE.match(each))}
    goes = {found[1] for each in every if (found := _DROP_INDEX.match(each))}
    for statement in every:
        _sort(made, statement, new, goes)
    return made


def _sort(made: Plan, statement: str, new: set[str], goes: set[str]) -> None:
    if (index := _CREATE_INDEX.match(statement)) and index[3] not in new:
        name = index[2] + _NEXT if index[2] in goes else index[2]
        made.indexes.append(Index(name, index[3], index[4], is_unique=bool(index[1])))
        if index[2] in goes:
            made.last.append(f"ALTER INDEX {name} RENAME TO {index[2]}")
    elif (unique := _ADD_UNIQUE.match(statement)) and unique[1] not in new:
        made.indexes.append(Index(unique[2], unique[1], unique[3], is_unique=True))
        made.last.append(f"ALTER TABLE {unique[1]} ADD CONSTRAINT {unique[2]} UNIQUE USING INDEX {unique[2]}")
    elif (looked := _ADD_LOOKED.match(statement)) and looked[1] not in new:
        made.first.append(f"{statement} NOT VALID")
        made.looks.append(f"ALTER TABLE {looked[1]} VALIDATE CONSTRAINT {looked[2]}")
    elif _DROP_INDEX.match(statement) or _SET_INDEX.match(statement) or _VERSION.match(statement):
        made.last.append(statement)
    else:
        made.first.append(statement)


async def advance(connection: Connection, made: Plan, revision: str) -> None:
    """Carry a plan out, or what is left of it; the database stands at `revision` then. Raises Unavailable."""
    mark = f"expanded to {revision}"
    if await connection.fetchval(_MARKED) != mark:
        await _at_once(connection, [*made.first, f"COMMENT ON TABLE alembic_version IS '{mark}'"])
    for index in made.indexes:
        await build(connection, index)
    for look in made.looks:
        await _at_once(connection, [look], are_locked=False)
    await _at_once(connection, [*made.last, "COMMENT ON TABLE alembic_version IS NULL"])


async def build(connection: Connection, index: Index) -> None:
    """Build an index beside those who write, unless it is there; one that was left half built is built anew."""
    is_valid = await connection.fetchval(_IS_VALID, index.name)
    if is_valid:
        return
    if is_valid is not None:
        await connection.execute(f"DROP INDEX CONCURRENTLY {index.name}")
    log.info("an index is built while others write", action="migrate", index=index.name)
    await connection.execute(index.statement)


async def _at_once(connection: Connection, todo: Sequence[str], *, are_locked: bool = True) -> None:
    """Carry statements out in one transaction, again and again until it gets its locks."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    tables = sorted({found[1] for each in todo if (found := _ALTER.match(each))}) if are_locked else []
    tries = 0
    while True:
        try:
            async with connection.transaction():
                await _lock(connection, tables)
                for statement in todo:
                    await connection.execute(statement)
                return
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError) as error:
            if loop.time() > deadline:
                raise Unavailable(await _blocked(connection)) from error
        log.info("the upgrade lets others go first", action="migrate", tables=tables)
        await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1


async def _lock(connection: Connection, tables: Sequence[str]) -> None:
    """Have all tables to ourselves, or fail within `_QUEUE` for all of them together."""
    limit = int(_QUEUE * 1000)
    if tables:
        await connection.execute(f"SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = {limit}")
        await connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
    await connection.execute(f"SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0")


async def _blocked(connection: Connection) -> str:
    found = await connection.fetch(_IN_THE_WAY)
    who = "; ".join(f"process {pid} ({name}), for {seconds} s" for pid, name, seconds in found)
    return (
        f"The upgrade could not get its locks in {PATIENCE:.0f} seconds. The oldest transactions: {who or 'none'}. "
        "End them, then run “opengage migrate” again: it goes on where it stopped."
    )
