"""PostgreSQL's failures in the contract's words."""

import contextlib
from collections.abc import Iterator
from typing import Final

import asyncpg

from opengage.domain.errors import Unavailable
from opengage.store.contract import Violation

LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
)
"""What says nothing about the statement: the connection is gone, or the server silent."""

_ADVICE: Final = "Nothing was changed: check that the database server runs and can be reached, then send it again."
_BUSY: Final = "Nothing was changed: another transaction was in the way. Send it again."
_SCHEMA: Final = "Run “opengage migrate”, and check that OPENGAGE_DATABASE_URL names the right database and user."

_ADVICE_OF: Final = {
    "40": _BUSY,  # serialization failure, deadlock
    "55": _BUSY,  # a lock that was not to be had in time
    "25": "Nothing was changed: the transaction stood still too long, or a statement in it had failed. Send it again.",
    "25006": "Nothing was changed: here one may only read. Name the primary server, not a standby.",
    "28": _SCHEMA,
    "3D": _SCHEMA,
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "42501": _SCHEMA,
    "0A000": _BUSY,  # the schema was changed under a prepared statement
    "53": "Nothing was changed: make room on the server (disk, memory or connections), then send it again.",
    "54": _ADVICE,
    "57": _ADVICE,
    "58": _ADVICE,
    "08": _ADVICE,
    "XX": _ADVICE,
}


def reason(error: BaseException) -> str:
    """A failure in the server's own words, without its DETAIL: that may hold a phone number."""
    return str(error.args[0]) if error.args else type(error).__name__


def translate(error: Exception) -> Exception:
    """The contract's exception for a driver's; the same one when it is a mistake of ours."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        if not hasattr(error, "severity"):
            return error  # the driver's own: a value of a type that the statement does not take
        if state[:2] in ("22", "23"):
            return Violation(reason(error))
        advice = _ADVICE_OF.get(state) or _ADVICE_OF.get(state[:2])
        return Unavailable(f"The database could not be used ({reason(error)}). {advice}") if advice else error
    if isinstance(error, LOST):
        words = reason(error) or type(error).__name__
        return Unavailable(f"The database could not be used ({words}). {_ADVICE}")
    return error


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Say a database failure in the contract's words."""
    try:
        yield
    except (asyncpg.PostgresError, *LOST) as error:
        told = translate(error)
        if told is error:
            raise
        raise told from error
