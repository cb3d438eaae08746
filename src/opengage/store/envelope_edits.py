"""Envelopes changed or taken back while they wait: each statement holds only as long as nobody has taken them up.

The dispatcher takes an envelope by writing it as processing; what is pending here, in the same transaction as the
change, was not taken, and is sent as it reads afterwards.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.states import EnvelopeStatus
from opengage.ids import Id
from opengage.store import tables
from opengage.store.contacts import chunks, named, placed
from opengage.store.contract import Transaction

_envelopes: Final = tables.envelopes
_WAITS: Final = (_envelopes.c.status == EnvelopeStatus.PENDING.value, _envelopes.c.text_id.is_(None))


@cache
def _change(names: tuple[str, ...]) -> sa.Update:
    return (
        sa.update(_envelopes)
        .where(
            _envelopes.c.account_id == sa.bindparam("key_account_id"),
            _envelopes.c.id == sa.bindparam("key_id"),
            *_WAITS,
        )
        .values({name: sa.bindparam(name) for name in names})
    )


@cache
def _remove(count: int) -> sa.Delete:
    return sa.delete(_envelopes).where(
        _envelopes.c.account_id == sa.bindparam("account_id"), _envelopes.c.id.in_(placed(count)), *_WAITS
    )


async def change(tx: Transaction, account_id: int, id_: Id, values: Mapping[str, Any]) -> bool:
    """Write these columns of a pending envelope; False when it is pending no more, and nothing was written."""
    statement = _change(tuple(sorted(values)))
    return bool(await tx.run(statement, key_account_id=account_id, key_id=id_, **values))


async def remove(tx: Transaction, account_id: int, ids: Sequence[Id]) -> int:
    """Delete those of these envelopes that are pending; how many they were."""
    return sum([await tx.run(_remove(len(some)), account_id=account_id, **named(some)) for some in chunks(ids)])
