"""Contacts and the lists that they are on: by number, by membership, and all that belongs to one when it goes."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.domain.records import Contact
from opengage.ids import Id
from opengage.store import rows, tables
from opengage.store.contract import Rows, Transaction

_contacts: Final = tables.contacts
_members: Final = tables.list_contacts
_MANY: Final = 256
"""Values named in one statement, at most."""

# a row of its own, that nothing else locks or reads; both databases spell it like this
_LOCK: Final = sa.text(
    "INSERT INTO account_keys (account_id, purpose, value) VALUES (:account_id, 'contacts', :value)"
    " ON CONFLICT (account_id, purpose) DO UPDATE SET value = excluded.value"
).bindparams(sa.bindparam("value", type_=sa.LargeBinary))

_MEMBERS: Final = (
    sa.select(_contacts.c.id, _contacts.c.phone_number, _contacts.c.first_name, _contacts.c.last_name, _contacts.c.meta)
    .select_from(
        _members.join(
            _contacts, sa.and_(_contacts.c.account_id == _members.c.account_id, _contacts.c.id == _members.c.contact_id)
        )
    )
    .where(
        _members.c.account_id == sa.bindparam("account_id"),
        _members.c.list_id == sa.bindparam("list_id"),
        _members.c.contact_id > sa.bindparam("after"),
        ~sa.exists().where(
            tables.envelopes.c.account_id == _contacts.c.account_id,
            tables.envelopes.c.engagement_id == sa.bindparam("engagement_id"),
            tables.envelopes.c.phone_number == _contacts.c.phone_number,
        ),
    )
    .order_by(_members.c.contact_id)
    .limit(sa.bindparam("most"))
)

_LISTS_OF: Final = (
    sa.select(tables.engagement_lists.c.engagement_id, tables.engagement_lists.c.list_id)
    .where(
        tables.engagement_lists.c.account_id == sa.bindparam("account_id"),
        tables.engagement_lists.c.engagement_id == sa.bindparam("engagement_id"),
    )
    .order_by(tables.engagement_lists.c.list_id)
)


def chunks(values: Sequence[Any]) -> list[list[Any]]:
    """Parts of at most 256 different values, each padded to a power of two: few statements are ever compiled."""
    wanted = list(dict.fromkeys(values))
    parts = [wanted[start : start + _MANY] for start in range(0, len(wanted), _MANY)]
    return [part + part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part)) for part in parts]


def named(values: Sequence[Any]) -> dict[str, Any]:
    """The parameters of `placed`."""
    return {f"value_{place}": value for place, value in enumerate(values)}


def placed(count: int) -> list[sa.BindParameter[Any]]:
    """So many places for values in an IN."""
    return [sa.bindparam(f"value_{place}") for place in range(count)]


@cache
def _by_numbers(count: int) -> sa.Select[Any]:
    # in no order of ids: SQLite would walk the account's contacts by id for that
    wanted = _contacts.c.account_id == sa.bindparam("account_id"), _contacts.c.phone_number.in_(placed(count))
    return sa.select(*rows.columns(Contact)).where(*wanted).with_for_update(key_share=True)


@cache
def _add_members(count: int) -> sa.TextClause:
    # both databases spell it like this
    rows_ = ", ".join(f"(:account_id, :list_id, :value_{place})" for place in range(count))
    return sa.text(
        f"INSERT INTO list_contacts (account_id, list_id, contact_id) VALUES {rows_}"  # noqa: S608 - names of ours
        " ON CONFLICT (account_id, list_id, contact_id) DO NOTHING"
    ).bindparams(*(sa.bindparam(f"value_{place}", type_=sa.LargeBinary) for place in range(count)))


@cache
def _remove_where(table: sa.Table, column: str, fixed: tuple[str, ...], count: int) -> sa.Delete:
    return sa.delete(table).where(
        table.c.account_id == sa.bindparam("account_id"),
        *(table.c[name] == sa.bindparam(name) for name in fixed),
        table.c[column].in_(placed(count)),
    )


async def remove_where(
    tx: Transaction, table: sa.Table, column: str, values: Sequence[Any], account_id: int, **fixed: Any
) -> int:
    """Delete an account's rows whose `column` is one of `values`; how many there were."""
    names = tuple(sorted(fixed))
    return sum(
        [
            await tx.run(_remove_where(table, column, names, len(some)), account_id=account_id, **fixed, **named(some))
            for some in chunks(values)
        ]
    )


async def lock_account(tx: Transaction, account_id: int) -> None:
    """Let no other transaction that asks for this go on before this one ends: who promises unique numbers asks."""
    await tx.run(_LOCK, account_id=account_id, value=b"")


async def by_numbers(tx: Transaction, account_id: int, numbers: Sequence[str]) -> dict[str, Contact]:
    """The contacts with these primary numbers: of several with one number the oldest.

    Nobody else changes them before this transaction ends.
    """
    found: dict[str, Contact] = {}
    for some in chunks(numbers):
        for row in await tx.rows(_by_numbers(len(some)), account_id=account_id, **named(some)):
            contact = rows.from_row(Contact, row)
            known = found.get(contact.phone_number)
            if known is None or contact.id < known.id:
                found[contact.phone_number] = contact
    return found


async def add_members(tx: Transaction, account_id: int, list_id: Id, contact_ids: Sequence[Id]) -> None:
    """Put contacts on a list; those that are on it stay."""
    wanted = sorted(set(contact_ids))
    start = 0
    while start < len(wanted):
        count = min(_MANY, 1 << (len(wanted) - start).bit_length() - 1)
        some = wanted[start : start + count]
        await tx.run(_add_members(count), account_id=account_id, list_id=list_id, **named(some))
        start += count


async def remove_members(tx: Transaction, account_id: int, list_id: Id, contact_ids: Sequence[Id]) -> None:
    """Take contacts off a list; those that are not on it stay off."""
    await remove_where(tx, _members, "contact_id", contact_ids, account_id, list_id=list_id)


async def remove(tx: Transaction, account_id: int, contact_ids: Sequence[Id]) -> None:
    """Delete contacts, and their places on lists."""
    await remove_where(tx, _members, "contact_id", contact_ids, account_id)
    await remove_where(tx, _contacts, "id", contact_ids, account_id)


async def remove_lists(tx: Transaction, account_id: int, list_ids: Sequence[Id]) -> None:
    """Delete lists, but none of the contacts on them."""
    for table in (_members, tables.engagement_lists):
        await remove_where(tx, table, "list_id", list_ids, account_id)
    await remove_where(tx, tables.lists, "id", list_ids, account_id)


async def members_to_address(
    tx: Transaction, account_id: int, list_id: Id, engagement_id: Id, after: Id, most: int
) -> Rows:
    """(id, phone number, first name, last name, meta) of the next contacts of a list, by id, whose number no envelope
    of the engagement has yet."""
    return await tx.rows(
        _MEMBERS, account_id=account_id, list_id=list_id, engagement_id=engagement_id, after=after, most=most
    )


async def lists_of(tx: Transaction, account_id: int, engagement_id: Id) -> list[Id]:
    """The lists of an engagement."""
    found = await tx.rows(_LISTS_OF, account_id=account_id, engagement_id=engagement_id)
    return [Id(list_id) for _, list_id in found]


@cache
def _pairs(table: sa.Table, owner: str, other: str, count: int) -> sa.Select[Any]:
    return (
        sa.select(table.c[owner], table.c[other])
        .where(table.c.account_id == sa.bindparam("account_id"), table.c[owner].in_(placed(count)))
        .order_by(table.c[owner], table.c[other])
    )


async def links(
    tx: Transaction, table: sa.Table, owner: str, other: str, account_id: int, owners: Sequence[Id]
) -> Mapping[Id, list[Id]]:
    """What each of `owners` is joined to by a table of pairs: for relationships known to be short."""
    found: dict[Id, list[Id]] = {each: [] for each in owners}
    for some in chunks(owners):
        statement = _pairs(table, owner, other, len(some))
        for owner_id, other_id in await tx.rows(statement, account_id=account_id, **named(some)):
            found[Id(owner_id)].append(Id(other_id))
    return found


_CLEAR: Final = sa.delete(_members).where(
    _members.c.account_id == sa.bindparam("key_account_id"), _members.c.list_id == sa.bindparam("key_list_id")
)


async def clear(tx: Transaction, account_id: int, list_id: Id) -> None:
    """Take every contact off a list."""
    await tx.run(_CLEAR, key_account_id=account_id, key_list_id=list_id)


@cache
def _counts(count: int) -> sa.Select[Any]:
    return (
        sa.select(_members.c.list_id, sa.func.count())
        .where(_members.c.account_id == sa.bindparam("account_id"), _members.c.list_id.in_(placed(count)))
        .group_by(_members.c.list_id)
    )


async def counts(tx: Transaction, account_id: int, list_ids: Sequence[Id]) -> dict[Id, int]:
    """How many contacts each of these lists has; those without any are left out."""
    found: dict[Id, int] = {}
    for some in chunks(list_ids):
        for list_id, count in await tx.rows(_counts(len(some)), account_id=account_id, **named(some)):
            found[Id(list_id)] = count
    return found
