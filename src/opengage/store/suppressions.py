"""Numbers that must not be texted, many at a time; who is asked about while texts are sent is in `batches`."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.records import Suppression
from opengage.store import rows, tables
from opengage.store.contract import Transaction

_MANY: Final = 512
"""Rows of one statement, at most."""


@cache
def _insert(count: int) -> sa.TextClause:
    """Both databases spell it like this; a number that is there already keeps its row."""
    row = "(:account_id, :id_{0}, :now, :now, :number_{0}, :reason)"
    values = ", ".join(row.format(place) for place in range(count))
    columns = "account_id, id, created_at, updated_at, phone_number, reason"
    conflict = "ON CONFLICT (account_id, phone_number) DO NOTHING"
    return sa.text(f"INSERT INTO suppressions ({columns}) VALUES {values} {conflict}")  # noqa: S608 - names alone


@cache
def _select(count: int) -> sa.Select[Any]:
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"number_{place}") for place in range(count)]
    table = tables.suppressions
    return sa.select(*rows.columns(Suppression)).where(
        table.c.account_id == sa.bindparam("account_id"), table.c.phone_number.in_(wanted)
    )


async def add(tx: Transaction, new: Sequence[Suppression]) -> dict[str, Suppression]:
    """Write suppressions of one account, time and reason, but for numbers that have one; what now stands for each."""
    found: dict[str, Suppression] = {}
    for start in range(0, len(new), _MANY):
        some = list(new[start : start + _MANY])
        # padded to a power of two, so that only a few statements are ever compiled: a row twice is there once
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        numbers = {f"number_{place}": each.phone_number for place, each in enumerate(some)}
        ids = {f"id_{place}": each.id for place, each in enumerate(some)}
        common = {"account_id": new[0].account_id, "now": new[0].created_at, "reason": new[0].reason}
        await tx.run(_insert(len(some)), **common, **ids, **numbers)
        for row in await tx.rows(_select(len(some)), account_id=new[0].account_id, **numbers):
            one = rows.from_row(Suppression, row)
            found[one.phone_number] = one
    return found
