"""`doctor`: what is wrong with an installation, by name, and how to mend each. It looks and changes nothing.

Each check is a function of its own that returns a `Finding`; one that fails never keeps the next from being made.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from opengage.clock import SECOND, Clock
from opengage.domain.errors import Unavailable
from opengage.store import dumps, pseudonyms, revision, tables, writable
from opengage.store.contract import Store

_WITHIN: Final = 5.0
"""Seconds that one check may take."""
_SKEW: Final = 2.0
"""Seconds by which this machine's clock may differ from the database's."""
_SMPP_PORT: Final = 2775

_PROFILES: Final = sa.select(
    tables.service_profiles.c.account_id,
    tables.service_profiles.c.name,
    tables.service_profiles.c.url,
).where(tables.service_profiles.c.is_active, tables.service_profiles.c.url.is_not(None))
_HELD: Final = (
    sa.select(sa.func.count()).select_from(tables.lanes).where(tables.lanes.c.owner == sa.bindparam("holder"))
)


_WITH_PSEUDONYMS: Final = sa.select(tables.account_keys.c.account_id).where(
    tables.account_keys.c.purpose == pseudonyms.PURPOSE
)


class Finding(msgspec.Struct, frozen=True):
    """What one check came to."""

    check: str
    ok: bool
    detail: str
    """What was found; when it is not well, also how to mend it."""


async def examine(
    store: Store, clock: Clock, reach: Callable[[str, int], Awaitable[None]] | None = None
) -> list[Finding]:
    """Look at the database, the clock, what a restore left, and whether every carrier can be reached."""
    found = [await _checked("database", _answers(store))]
    if not found[0].ok:
        return found
    found.append(await _checked("schema", _schema(store)))
    found.append(await _checked("writing", _writing(store)))
    found.append(await _checked("clock", _clock(store, clock)))
    found.append(await _checked("restore", _restore(store)))
    found.append(await _checked("pseudonyms", _pseudonyms(store)))
    return found + await _carriers(store, reach or connect)


async def _checked(name: str, check: Awaitable[str]) -> Finding:
    try:
        async with asyncio.timeout(_WITHIN):
            return Finding(name, True, await check)
    except Unavailable as error:
        return Finding(name, False, str(error))
    except TimeoutError:
        return Finding(
            name, False, f"No answer within {_WITHIN:g} seconds. Look for what keeps the database busy or locked."
        )


async def _answers(store: Store) -> str:
    async with store.reading() as tx:
        await tx.now()
    return "The database answers."


async def _schema(store: Store) -> str:
    return f"The schema is at revision {await revision.require(store)}."


async def _writing(store: Store) -> str:
    await writable.require(store)
    return "A change can be committed."


async def _clock(store: Store, clock: Clock) -> str:
    before = clock.now()
    async with store.reading() as tx:
        there = await tx.now()
    after = clock.now()
    skew = max(before - there, there - after, 0) / SECOND
    if skew > _SKEW:
        raise Unavailable(
            f"This machine's clock and the database's differ by {skew:.1f} seconds. Let NTP set both: delivery times "
            "and receipt windows go by this machine's."
        )
    return "This machine's clock agrees with the database's."


async def _restore(store: Store) -> str:
    async with store.reading() as tx:
        held = (await tx.rows(_HELD, holder=dumps.HOLDER))[0][0]
    if held:
        raise Unavailable(
            "A restore was interrupted, and every lane is held by it: nothing is sent. Restore the backup again, into "
            "another empty database."
        )
    return "No restore was interrupted."


async def _pseudonyms(store: Store) -> str:
    async with store.reading() as tx:
        accounts = [account_id for (account_id,) in await tx.rows(_WITH_PSEUDONYMS)]
        for account_id in accounts:
            await pseudonyms.find(tx, account_id)
    return f"The keys of pseudonyms can be opened; there are {len(accounts)}."


async def _carriers(store: Store, reach: Callable[[str, int], Awaitable[None]]) -> list[Finding]:
    async with store.reading() as tx:
        profiles = await tx.rows(_PROFILES)
    found = []
    for account_id, name, url in profiles:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or _SMPP_PORT
        check = f"carrier “{name}” of account {account_id}"
        try:
            async with asyncio.timeout(_WITHIN):
                await reach(host, port)
        except (OSError, TimeoutError) as error:
            words = getattr(error, "strerror", None) or "no answer"
            detail = (
                f"{host}:{port} cannot be reached ({words}). Check the address, and that a firewall lets it through."
            )
            found.append(Finding(check, False, detail))
        else:
            found.append(Finding(check, True, f"{host}:{port} takes connections."))
    return found


async def connect(host: str, port: int) -> None:
    """Return once a TCP connection stands; it is closed again. Raises OSError."""
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    await writer.wait_closed()
