"""The composition root: the only place that names concrete stores and carriers, and joins them to what uses them."""

import errno
import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from litestar import Litestar

from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.carriers.contract import Carrier
from opengage.carriers.smpp import SmppCarrier, SmppOptions, SmscAddress
from opengage.clock import SystemClock
from opengage.dispatch.dispatcher import Dispatcher, DispatchSettings
from opengage.domain.errors import Invalid, Unavailable
from opengage.domain.records import ServiceProfile
from opengage.ids import new_id
from opengage.settings import Settings
from opengage.smpp.connection import Backoff
from opengage.store import migrations
from opengage.store.contract import Store
from opengage.store.sqlite import SqliteStore

DATABASE = "opengage.db"
"""The SQLite file in the data folder."""

_SMPP_PORT = 2775
"""The port of an SMSC whose address names none."""

_BACKOFF = Backoff(first=0.2, cap=30.0)


def database_path(settings: Settings) -> Path:
    """Where the embedded database lies."""
    return settings.data / DATABASE


def migrate(settings: Settings) -> tuple[str | None, str]:
    """Make the data folder and bring its database to this version's schema; (revision before, revision after).

    Raises Unavailable when the folder or the file cannot be used.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # two processes that start at once on a new folder must not both make its tables
        with (settings.data / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return migrations.upgrade(sa.URL.create("sqlite", database=str(database_path(settings))))
    except (OSError, sa.exc.DatabaseError) as error:
        raise Unavailable(
            f"The data folder {settings.data} cannot be used ({error}). Check that it is yours to write and on a disk "
            "with free space, or name another one with --data."
        ) from error


def open_store(settings: Settings) -> Store:
    """The store that the settings name. It must have been migrated."""
    return SqliteStore(database_path(settings))


def web_app(settings: Settings, store: Store) -> Litestar:
    """The API over a store."""
    return create_app(ApiState(store=store, clock=SystemClock(), new_id=new_id, settings=settings))


def dispatcher(settings: Settings, store: Store, owner: str) -> Dispatcher:
    """The dispatcher over a store, holding its leases in the name of `owner`."""

    def connect(profile: ServiceProfile) -> Carrier:
        return _carrier(settings, profile)

    dispatch = DispatchSettings(
        owner=owner,
        lease_seconds=settings.lease_seconds,
        window=settings.window,
        max_segments=settings.max_segments,
        receipt_window_seconds=settings.receipt_window_seconds,
        sandbox_receipt_window_seconds=settings.sandbox_receipt_window_seconds,
        stop_timeout_seconds=settings.stop_timeout_seconds,
    )
    return Dispatcher(store, SystemClock(), new_id, connect, dispatch)


def _carrier(settings: Settings, profile: ServiceProfile) -> Carrier:
    """The carrier of a service profile, not yet connected."""
    url = settings.sandbox_smsc if profile.kind == "sandbox" else profile.url
    if url is None:
        raise Invalid(
            "A sandbox needs the simulator's address: start it with “opengage serve”, or set OPENGAGE_SANDBOX_SMSC."
        )
    parts = urlsplit(url)
    address = SmscAddress(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or _SMPP_PORT,
        system_id=unquote(parts.username or ""),
        password=profile.password if profile.password is not None else unquote(parts.password or ""),
    )
    options = SmppOptions(
        window=profile.window or settings.window, response_timeout=settings.response_timeout_seconds, backoff=_BACKOFF
    )
    return SmppCarrier(address, SystemClock(), options)


def worker_name(settings: Settings) -> tuple[str, IO[str] | None]:
    """What this worker calls itself in its leases, and the lock that makes the name its own.

    The first worker on a data folder gets the folder's own name. After a crash its successor has the same one, and so
    takes its lanes back at once instead of waiting for the leases to run out: the lock, which dies with its process,
    shows that the old one is gone. Further workers get names of their own.
    """
    lock = (settings.data / "worker.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}", None
    return f"{socket.gethostname()}:{settings.data.resolve()}", lock
