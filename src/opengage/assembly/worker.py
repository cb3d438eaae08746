"""The dispatcher's process: the carriers it may speak to, and the name under which it holds its leases."""

import errno
import fcntl
import os
import secrets
import socket
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from opengage.assembly.legal_clock import legal_clock
from opengage.carriers.contract import Carrier
from opengage.carriers.smpp import RefForm, SmppCarrier, SmppOptions, SmscAddress
from opengage.clock import SystemClock
from opengage.dispatch.dispatcher import Dispatcher, DispatchSettings
from opengage.dispatch.eraser import Eraser
from opengage.dispatch.importer import Importer
from opengage.dispatch.law import Law
from opengage.dispatch.purger import Keeps, Purger
from opengage.domain.errors import Invalid, Unavailable
from opengage.domain.records import ServiceProfile
from opengage.ids import new_id
from opengage.operations.sealed_secrets import password_of
from opengage.sealing import Sealer, Unsealable
from opengage.settings import Settings
from opengage.smpp.connection import Backoff
from opengage.store.blobs import Blobs
from opengage.store.contract import Store

_SMPP_PORT = 2775
"""The port of an SMSC whose address names none."""

_LONGEST_SYSTEM_ID = 15
"""Octets without the final NUL (SMPP 3.4 section 5.2.1)."""

_BACKOFF = Backoff(first=0.2, cap=30.0)


def dispatcher(settings: Settings, store: Store, sealer: Sealer, owner: str) -> Dispatcher:
    """The dispatcher over a store, holding its leases in the name of `owner`."""

    def connect(profile: ServiceProfile) -> Carrier:
        try:
            password = password_of(sealer, profile)
        except Unsealable as error:
            raise Invalid(f"The carrier's password cannot be used. {error}") from error
        return _carrier(settings, msgspec.structs.replace(profile, password=password))

    dispatch = DispatchSettings(
        owner=owner,
        lease_seconds=settings.lease_seconds,
        window=settings.window,
        max_segments=settings.max_segments,
        receipt_window_seconds=settings.receipt_window_seconds,
        sandbox_receipt_window_seconds=settings.sandbox_receipt_window_seconds,
        stop_timeout_seconds=settings.stop_timeout_seconds,
    )
    law = Law(legal_clock(settings.quiet_hours_file))
    return Dispatcher(store, SystemClock(), new_id, connect, law, dispatch)


def importer(settings: Settings, store: Store, owner: str) -> Importer:
    """What carries out imports, holding them in the name of `owner`."""
    assert settings.files is not None, "settings that were loaded name the folder"
    return Importer(store, Blobs(settings.files), SystemClock(), new_id, owner)


def eraser(settings: Settings, store: Store) -> Eraser:
    """What carries out erasures."""
    assert settings.files is not None, "settings that were loaded name the folder"
    return Eraser(store, Blobs(settings.files), SystemClock(), new_id)


def purger(settings: Settings, store: Store) -> Purger:
    """What forgets what has been kept for long enough."""
    assert settings.files is not None, "settings that were loaded name the folder"
    keeps = Keeps(settings.retention_days_bodies, settings.retention_days_numbers)
    return Purger(store, Blobs(settings.files), SystemClock(), keeps)


def _carrier(settings: Settings, profile: ServiceProfile) -> Carrier:
    """The carrier of a service profile, not yet connected."""
    url = settings.sandbox_smsc if profile.kind == "sandbox" else profile.url
    if url is None:
        raise Invalid(
            "A sandbox needs the simulator's address: start it with “opengage serve”, or set OPENGAGE_SANDBOX_SMSC."
        )
    parts = urlsplit(url)
    system_id = unquote(parts.username or "")
    address = SmscAddress(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or _SMPP_PORT,
        system_id=_own_id(system_id, profile) if profile.kind == "sandbox" else system_id,
        password=profile.password if profile.password is not None else unquote(parts.password or ""),
    )
    options = SmppOptions(
        binds=profile.binds or 1,
        window=profile.window or settings.window,
        response_timeout=settings.response_timeout_seconds,
        backoff=_BACKOFF,
        ref_form=RefForm(parse_qs(parts.query).get("ids", [RefForm.EXACT])[0]),
    )
    return SmppCarrier(address, SystemClock(), options)


def _own_id(system_id: str, profile: ServiceProfile) -> str:
    """The simulator's name for an account: receipts go to any link of a system_id, so no two may share one."""
    mark = f"-{profile.account_id}"
    return system_id[: _LONGEST_SYSTEM_ID - len(mark)] + mark


def worker_name(settings: Settings) -> tuple[str, IO[str] | None]:
    """What this worker calls itself in its leases, and the lock that makes the name its own.

    The first worker on a data folder gets the folder's own name. After a crash its successor has the same one, and so
    takes its lanes back at once instead of waiting for the leases to run out: the lock, which dies with its process,
    shows that the old one is gone. Further workers get names of their own. Raises Unavailable without a data folder.

    On PostgreSQL workers of many machines meet, and two may be called alike and have folders called alike: there
    the name is a random one that is kept in the lock's file.
    """
    try:
        if settings.database_url is not None:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (settings.data / "worker.lock").open("a+")
    except OSError as error:
        raise Unavailable(
            f"The data folder {settings.data} cannot be used ({error.strerror}). Run “opengage migrate” to make it, "
            "or name another one with --data."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}", None
    if settings.database_url is not None:
        return f"{socket.gethostname()}:{_kept_name(lock)}", lock
    return f"{socket.gethostname()}:{settings.data.resolve()}", lock


def _kept_name(lock: IO[str]) -> str:
    """The name in a lock's file, written by the first who held the lock."""
    lock.seek(0)
    name = lock.read().strip()
    if not name:
        name = secrets.token_hex(8)
        lock.write(name)
        lock.flush()
    return name
