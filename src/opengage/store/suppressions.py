"""Numbers that must not be texted, many at a time. One that stands under its pseudonym only is obeyed like any other.

What is suppressed is asked for in this order: the numbers themselves, then their pseudonyms. A row changes from the one
to the other and never back, so that whoever asks while it does finds it all the same.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import Suppression
from opengage.store import pseudonyms, rows, tables
from opengage.store.contacts import chunks
from opengage.store.contract import Transaction

_MANY: Final = 512
"""Rows of one statement, at most."""


_FORGIVE: Final = sa.delete(tables.suppressions).where(
    tables.suppressions.c.account_id == sa.bindparam("account_id"),
    tables.suppressions.c.phone_number == sa.bindparam("phone_number"),
    tables.suppressions.c.reason == sa.bindparam("reason"),
)


_THIS: Final = (
    tables.suppressions.c.account_id == sa.bindparam("key_account_id"),
    tables.suppressions.c.phone_number == sa.bindparam("key_number"),
)
_DROP: Final = sa.delete(tables.suppressions).where(*_THIS)
_HIDE: Final = (
    sa.update(tables.suppressions)
    .where(*_THIS)
    .values(phone_number=sa.bindparam("pseudonym"), updated_at=sa.bindparam("now"))
)


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


async def suppressed(tx: Transaction, account_id: int, numbers: Sequence[str]) -> set[str]:
    """Those of `numbers` that this account must not text."""
    found = await tx.batches.suppressed(account_id, numbers)
    known = await pseudonyms.of_suppressed(tx, account_id)
    if known is None:
        return found
    by_pseudonym = known.by_pseudonym(numbers)
    return found | {by_pseudonym[each] for each in await tx.batches.suppressed(account_id, list(by_pseudonym))}


async def forgive(tx: Transaction, account_id: int, number: str, reason: str) -> bool:
    """Let a number be texted again that was suppressed for this reason; whether it was."""
    known = await pseudonyms.of_suppressed(tx, account_id)
    names = [number, known.of(number)] if known else [number]
    return any([await tx.run(_FORGIVE, account_id=account_id, phone_number=each, reason=reason) for each in names])


async def hide(tx: Transaction, account_id: int, numbers: Sequence[str], now: Instant) -> int:
    """Let the suppressions of these numbers stand under their pseudonyms from here on; how many that were.

    Others of the account who change who may be texted must wait meanwhile (`Turn.CONSENT`).
    """
    known = await pseudonyms.ensure(tx, account_id)
    there = await tx.batches.suppressed(account_id, [known.of(number) for number in numbers])
    count = 0
    for number in sorted(await tx.batches.suppressed(account_id, numbers)):
        key = {"key_account_id": account_id, "key_number": number}
        pseudonym = known.of(number)
        if pseudonym in there:
            count += await tx.run(_DROP, **key)
        else:
            count += await tx.run(_HIDE, **key, pseudonym=pseudonym, now=now)
    return count


async def add(tx: Transaction, new: Sequence[Suppression]) -> dict[str, Suppression]:
    """Write suppressions of one account, time and reason, but for numbers that have one; what now stands for each."""
    found = await _under_pseudonyms(tx, new)
    new = [each for each in new if each.phone_number not in found]
    for start in range(0, len(new), _MANY):
        some = list(new[start : start + _MANY])
        # padded to a power of two, so that only a few statements are ever compiled: a row twice is there once
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        numbers = {f"number_{place}": each.phone_number for place, each in enumerate(some)}
        ids = {f"id_{place}": each.id for place, each in enumerate(some)}
        common = {"account_id": new[0].account_id, "now": new[0].created_at, "reason": new[0].reason}
        await tx.run(_insert(len(some)), **common, **ids, **numbers)
        for one in await _read(tx, new[0].account_id, [each.phone_number for each in some]):
            found[one.phone_number] = one
    return found


async def _under_pseudonyms(tx: Transaction, new: Sequence[Suppression]) -> dict[str, Suppression]:
    """By number, what already stands under its pseudonym: it stays as it is, and gives the number away to nobody."""
    known = await pseudonyms.of_suppressed(tx, new[0].account_id) if new else None
    if known is None:
        return {}
    by_pseudonym = known.by_pseudonym(each.phone_number for each in new)
    found: dict[str, Suppression] = {}
    for some in chunks(list(by_pseudonym)):
        for one in await _read(tx, new[0].account_id, some):
            found[by_pseudonym[one.phone_number]] = one
    return found


async def _read(tx: Transaction, account_id: int, numbers: Sequence[str]) -> list[Suppression]:
    """The suppressions of these numbers, a power of two of them."""
    named = {f"number_{place}": number for place, number in enumerate(numbers)}
    return [
        rows.from_row(Suppression, row) for row in await tx.rows(_select(len(numbers)), account_id=account_id, **named)
    ]
