"""Records in and out of their tables, one test for every noun."""

from typing import get_args, get_type_hints

import msgspec
import pytest

from opengage.domain import records
from opengage.store import rows
from opengage.store.contract import Store, Violation
from store.samples import ACCOUNT, AUTHOR, NOW, OTHER_ACCOUNT, RECORDS, id_of

MEMBERSHIP = next(record for record in RECORDS if isinstance(record, records.Membership))


def members(count: int, account: int = ACCOUNT) -> list[records.Membership]:
    """Rows that differ in their ids, their names alternating."""
    return [
        msgspec.structs.replace(MEMBERSHIP, account_id=account, id=id_of(place), name="ab"[place % 2])
        for place in range(count)
    ]


def test_every_noun_has_a_sample() -> None:
    """The tests below see each record that has a table."""
    assert {type(record) for record in RECORDS} == set(rows.TABLES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
async def test_a_record_comes_back_as_it_was(store: Store, record: records.Record) -> None:
    """Field for field and type for type, whatever the database makes of booleans and enumerations."""
    async with store.writing() as tx:
        await rows.insert(tx, record)
    async with store.reading() as tx:
        found = await rows.find(tx, type(record), record.account_id, record.id)
        assert await rows.find(tx, type(record), OTHER_ACCOUNT, record.id) is None
        assert await rows.find(tx, type(record), record.account_id, id_of(12345)) is None
    assert found == record
    for name in record.__struct_fields__:
        assert type(getattr(found, name)) is type(getattr(record, name)), name


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
async def test_an_identity_exists_once(store: Store, record: records.Record) -> None:
    """The same id in the same account is refused."""
    async with store.writing() as tx:
        await rows.insert(tx, record)
    with pytest.raises(Violation):
        async with store.writing() as tx:
            await rows.insert(tx, record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_columns_are_fields(record: records.Record) -> None:
    """A table has a column for each field of its record, and no other."""
    table = rows.TABLES[type(record)]
    assert sorted(table.c.keys()) == sorted(record.__struct_fields__)
    nullable = {column.name for column in table.c if column.nullable}
    hints = get_type_hints(type(record))
    optional = {name for name in record.__struct_fields__ if type(None) in get_args(hints[name])}
    assert nullable == optional


async def test_first_and_every(store: Store) -> None:
    """Rows by any of their fields; nothing is found where nothing matches."""
    async with store.writing() as tx:
        for record in [*members(4), *members(2, OTHER_ACCOUNT)]:
            await rows.insert(tx, record)
        some = await rows.first(tx, records.Membership, account_id=ACCOUNT, name="a")
        assert some is not None
        assert some.name == "a"
        assert await rows.first(tx, records.Membership, account_id=ACCOUNT, name="c") is None
        found = await rows.every(tx, records.Membership, account_id=ACCOUNT, name="b", role="owner")
        assert {record.id for record in found} == {id_of(1), id_of(3)}


async def test_a_field_without_a_value_can_be_asked_for(store: Store) -> None:
    """None finds the rows that have none."""
    token = RECORDS[2]
    assert isinstance(token, records.ApiToken)
    async with store.writing() as tx:
        await rows.insert(tx, token)
        await rows.insert(tx, msgspec.structs.replace(token, id=AUTHOR, key="other", revoked_at=None))
        found = await rows.every(tx, records.ApiToken, account_id=ACCOUNT, revoked_at=None)
        assert [record.id for record in found] == [AUTHOR]
        page = await rows.page(tx, records.ApiToken, limit=10, offset=0, account_id=ACCOUNT, revoked_at=None)
        assert (page.total, [record.id for record in page.records]) == (1, [AUTHOR])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 511, 512, 513, 1100])
async def test_find_many(store: Store, count: int) -> None:
    """Those that exist, however many are asked for and however often each."""
    async with store.writing() as tx:
        for record in members(600):
            await rows.insert(tx, record)
        wanted = [id_of(place) for place in range(count)]
        found = await rows.find_many(tx, records.Membership, ACCOUNT, wanted + wanted[:1])
        assert sorted(found) == wanted[:600]
        assert all(found[id_].id == id_ for id_ in found)
        assert await rows.find_many(tx, records.Membership, OTHER_ACCOUNT, wanted) == {}


@pytest.mark.parametrize(
    ("limit", "offset", "places"), [(2, 0, [0, 2]), (2, 2, [4, 6]), (10, 4, [8]), (2, 5, []), (0, 0, [])]
)
async def test_a_page(store: Store, limit: int, offset: int, places: list[int]) -> None:
    """A slice in the order of the ids, and how many there are in all."""
    async with store.writing() as tx:
        for record in reversed(members(10)):
            await rows.insert(tx, record)
        page = await rows.page(tx, records.Membership, limit=limit, offset=offset, account_id=ACCOUNT, name="a")
    assert [record.id for record in page.records] == [id_of(place) for place in places]
    assert page.total == 5


async def test_a_change(store: Store) -> None:
    """Only the fields named change, only in that row; the record as it is now comes back."""
    first, second, *_ = members(2)
    async with store.writing() as tx:
        for record in (first, second):
            await rows.insert(tx, record)
        changed = await rows.change(tx, first, name="Bob", is_active=True, updated_at=NOW)
    async with store.reading() as tx:
        assert await rows.find(tx, records.Membership, ACCOUNT, first.id) == changed
        assert await rows.find(tx, records.Membership, ACCOUNT, second.id) == second
    assert changed == msgspec.structs.replace(first, name="Bob", is_active=True, updated_at=NOW)
